/* What an operator types to choose entries. Input: lines; the first byte of each chooses the
 * option. */
#include "fuzz.h"

#include "base/units.h"
#include "report/selector.h"

#define NOW_MS INT64_C(1795439210000)

static bool is_visible(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20)
			return false;
	return true;
}

static void check_match(const struct rp_selector *s)
{
	static const char *const names[] = {"http://127.0.0.1:8787/hook",
					    "https://hooks.example.com/a/b",
					    "https://[2001:db8::1]/", ""};
	struct rp_entry e = {0};
	unsigned i;

	for (i = 0; i < 40; i++) {
		bool passes, narrower;

		e.delivery.state = (enum rp_state)(RP_STATE_WAITING + i % 5);
		e.delivery.cause = (enum rp_cause)(i % RP_CAUSE_MAX_);
		e.delivery.last_cause = i % 3 == 0 ? RP_CAUSE_HTTP : RP_CAUSE_NONE;
		e.delivery.http_status = i % 3 == 0 ? 503 : 0;
		e.delivery.attempts = i % 2;
		e.delivery.state_at_ms = NOW_MS - (int64_t)i * 3600000;
		e.facts.accepted_at_ms = NOW_MS - (int64_t)i * 7200000;
		e.facts.run_id = rp_span_of(i % 4 == 0 ? "r-1" : "");
		e.endpoint = rp_span_of(names[i % 4]);
		passes = rp_selector_match(s, &e, NOW_MS);
		/* each filter by itself */
		narrower = (s->states == 0 || (s->states & RP_STATE_BIT(e.delivery.state)) != 0) &&
			   (!s->has_since || e.facts.accepted_at_ms >= s->since_at_ms) &&
			   (!s->has_until || e.facts.accepted_at_ms < s->until_at_ms) &&
			   (s->run_id == NULL || rp_span_is(e.facts.run_id, s->run_id));
		MUST(!passes || narrower, "an entry passes that a filter excludes");
		MUST(passes || !rp_selector_is_empty(s), "the empty selector excludes an entry");
	}
}

static enum rp_err one_word(struct rp_selector *s, unsigned option, const char *value,
			    struct rp_error *err)
{
	unsigned stars = 0;
	const char *p;

	if (option == 0)
		return rp_selector_add_line(s, rp_span_of(value), err);
	if (option == 9)
		return rp_selector_add_id(s, rp_span_of(value), err);
	/* the C library's fnmatch takes time to the power of the stars; the operator waits for
	 * himself alone */
	for (p = value; option == RP_SELECT_ENDPOINT && *p != '\0'; p++)
		stars += *p == '*' || *p == '(' || *p == '[';
	if (stars > 4)
		return RP_OK;
	return rp_selector_set(s, (enum rp_selector_field)option, value, NOW_MS, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct rp_selector s = {0};
	char *values[32];
	unsigned n = 0, i;

	while (in.left > 0 && n < 32) {
		unsigned option = (unsigned)(fuzz_byte(&in) - '0') % 10;
		struct rp_error err = {.text = ""};
		size_t n_ids = s.n_ids;
		enum rp_err rc;

		values[n] = fuzz_text(fuzz_until(&in, '\n'));
		rc = one_word(&s, option, values[n], &err);
		MUST(rc == RP_OK || rc == RP_ERR_INVAL, "%s", rp_err_name(rc));
		MUST(rc == RP_OK || (err.code == rc && err.text[0] != '\0'), "no reason");
		MUST(rc == RP_OK || !is_visible(values[n]) || is_visible(err.text),
		     "control bytes: %s", err.text);
		MUST(rc == RP_OK || s.n_ids == n_ids, "an id was added and refused");
		n++;
	}
	for (i = 0; i < s.n_ids; i++) {
		char text[RP_ID_TEXT_MAX];
		unsigned char again[RP_ID_BYTES];

		rp_id_format(s.ids[i], text);
		MUST(rp_id_parse(rp_span_of(text), again) &&
			 memcmp(again, s.ids[i], RP_ID_BYTES) == 0,
		     "%s", text);
	}
	check_match(&s);
	rp_selector_release(&s);
	while (n > 0)
		free(values[--n]);
	return 0;
}
