/* offering.c - decides what a sender offers. It is apart from sender_offer.c, and pure, so that
 * each case can be tested. */

#include "deliver/offering.h"

#include "model/hand_over.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t rp_offering_claims_max(const struct rp_offering *o)
{
	const size_t places = least(RP_OFFERING_PLACES, least(o->begins, o->idle));
	const size_t claims_max = o->claims + places;

	if (o->stops || o->due || o->ready > 0 || places == 0 || claims_max > RP_OFFER_CLAIMS_MAX)
		return 0;
	return o->offered > o->claims && o->offered <= claims_max ? o->offered : claims_max;
}
