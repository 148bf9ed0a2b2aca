/* state.c - names the states of an entry. The store, the library and the inspector print the
 * same words. */

#include "runpost.h"

const char *rp_state_name(enum rp_state state)
{
	switch (state) {
	case RP_STATE_WAITING:
		return "waiting";
	case RP_STATE_IN_FLIGHT:
		return "in_flight";
	case RP_STATE_HELD:
		return "held";
	case RP_STATE_DELIVERED:
		return "delivered";
	case RP_STATE_DEAD:
		return "dead";
	}
	return "unknown";
}
