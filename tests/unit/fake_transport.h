/* fake_transport.h - a transport without a network: requests wait until the test says what came
 * back. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include "deliver/http/http.h"

#define FAKE_MAX 1024

struct fake_request {
	const struct rp_request *request; /* as given; valid until it is answered */
	char url[512], id[64], attempt[16], signature[256], timestamp[32];
	char body[256];
	bool answered;
};

struct fake_transport {
	struct rp_transport transport;          /* first: its address is the transport's */
	struct fake_request requests[FAKE_MAX]; /* all ever started */
	size_t n_started, n_open, max_open;
	struct {
		size_t request;
		struct rp_outcome outcome;
	} answers[FAKE_MAX];
	size_t n_answers;
	enum rp_err refuse; /* with what start fails; RP_OK: it does not */
};

void fake_transport_init(struct fake_transport *f);
/* Queues the outcome of the i-th request started; it is told at the next run. status 0 with a
 * cause: no answer came. */
void fake_answer(struct fake_transport *f, size_t i, enum rp_cause cause, unsigned status);
/* Value of a header of a request under way, "" when it has none. */
const char *fake_header(const struct rp_request *r, const char *name, char *out, size_t size);

#endif
