/* http_detail.c - sets the sentence that an outcome has beside its cause. It is apart because it
 * hides the secrets of the URL. */

#include "deliver/http/http_detail.h"

#include <stdio.h>
#include <string.h>

#include "net/url.h"

void rp_transfer_set_detail(struct rp_transfer *t, const char *text)
{
	struct rp_outcome *out = &t->outcome;
	struct rp_url url;
	unsigned char *p;

	if (*text == '\0') {
		out->detail[0] = '\0';
		return;
	}
	snprintf(out->detail, sizeof out->detail, "%s", text);
	for (p = (unsigned char *)out->detail; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
	if (rp_url_parse(rp_span_of(t->request.url), &url, NULL) == RP_OK)
		rp_url_mask_secrets(&url, (unsigned char *)out->detail, strlen(out->detail));
}

void rp_transfer_decide(struct rp_transfer *t, enum rp_cause cause, const char *detail)
{
	t->outcome.cause = cause;
	rp_transfer_set_detail(t, detail);
}
