/* A line of an export that comes back: refused with a reason, or an entry that is exported and
 * read again as the same. The store must be able to keep whatever is accepted: its records are
 * packed and unpacked here. */
#include "fuzz.h"

#include "net/url.h"
#include "report/export_line.h"

static const struct rp_config none; /* nothing but queries is a secret */

static void check_entry(const struct rp_entry *e, struct rp_span payload)
{
	const struct rp_facts *f = &e->facts;
	unsigned char record[RP_FACTS_BYTES_MAX], small[RP_DELIVERY_BYTES];
	struct rp_delivery d;
	struct rp_facts again;
	struct rp_url url;
	size_t n;

	MUST(f->payload_bytes == payload.len &&
		 f->payload_hash == rp_payload_hash(payload.ptr, payload.len),
	     "payload");
	MUST(f->url.len <= RP_URL_MAX && rp_url_parse(f->url, &url, NULL) == RP_OK,
	     "an URL that is none");
	MUST(f->dedupe_key.len >= 1 && f->dedupe_key.len <= 256 && f->headers.len <= 2048,
	     "too long for the store");
	MUST(f->run_id.len <= 200 && f->operation.len <= 200 && f->order_by.len <= 200 &&
		 f->thread_id.len <= 200 && f->event.len <= 200,
	     "a field is too long for the store");
	MUST(e->delivery.state != RP_STATE_IN_FLIGHT, "in flight");
	n = rp_facts_pack(f, 7, record, sizeof record);
	MUST(n > 0 && rp_facts_unpack(&again, 7, record, n), "the facts cannot be stored");
	n = rp_delivery_pack(&e->delivery, 7, small, sizeof small);
	MUST(n > 0 && rp_delivery_unpack(&d, 7, small, n), "the delivery cannot be stored");
}

/* What is written without secrets is complete only where there are none. */
static void export_again(const struct rp_import_line *line)
{
	struct rp_buf first = {0}, second = {0}, plain = {0};
	struct rp_import_line again = {0};
	struct rp_error err = {.text = ""};

	MUST(rp_export_line(&none, &line->entry, line->payload, true, &first), "out of memory");
	MUST(first.len > 1 && first.data[first.len - 1] == '\n', "no line");
	MUST(rp_import_line(&again, (struct rp_span){first.data, first.len - 1}, &err) == RP_OK,
	     "refused: %s: %s", err.text, first.data);
	MUST(rp_export_line(&none, &again.entry, again.payload, true, &second), "out of memory");
	MUST(fuzz_same((struct rp_span){first.data, first.len},
		       (struct rp_span){second.data, second.len}),
	     "%s became %s", first.data, second.data);
	MUST(rp_export_line(&none, &line->entry, line->payload, false, &plain), "out of memory");
	MUST(fuzz_contains((struct rp_span){plain.data, plain.len},
			   rp_span_of("\"complete\":true")) !=
		 rp_export_has_secrets(&none, &line->entry, line->payload),
	     "complete or not: %s", plain.data);
	rp_import_line_release(&again);
	rp_buf_release(&first);
	rp_buf_release(&second);
	rp_buf_release(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rp_span text = {(const char *)data, size};
	char *copy = fuzz_copy(text);
	struct rp_import_line line = {0};
	struct rp_error err = {.text = ""};
	enum rp_err e;

	text.ptr = copy;
	e = rp_import_line(&line, text, &err);
	MUST(e == RP_OK || (e == RP_ERR_INVAL && err.text[0] != '\0'), "%s without a reason",
	     rp_err_name(e));
	if (e == RP_OK) {
		check_entry(&line.entry, line.payload);
		export_again(&line);
	}
	rp_import_line_release(&line);
	free(copy);
	return 0;
}
