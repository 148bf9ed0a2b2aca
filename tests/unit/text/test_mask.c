/* Secrets in texts: what is hidden is what a slow search hides, and the work does not grow with
 * the product of both. */
#include "text/mask.h"

#include <check.h>
#include <stdio.h>

static uint64_t random_state;

static size_t draw(size_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(random_state >> 33) % n;
}

/* Each place held against the whole secret. */
static void hide_slowly(struct rp_span secret, const unsigned char *text, size_t n, bool *hidden)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0;
		     k < secret.len && i + k < n && text[i + k] == (unsigned char)secret.ptr[k];
		     k++)
			continue;
		if (k >= RP_MASK_SECRET_MIN && (k == secret.len || i + k == n))
			memset(hidden + i, true, k);
	}
}

/* Each of its stretches of letters. */
static void hide_pieces_slowly(const char *written, const unsigned char *text, size_t n,
			       bool *hidden)
{
	char copy[40], *escape, *piece;

	snprintf(copy, sizeof copy, "%s", written);
	while ((escape = strstr(copy, "%41")) != NULL)
		memcpy(escape, "+++", 3);
	for (piece = strtok(copy, "+"); piece != NULL; piece = strtok(NULL, "+"))
		hide_slowly(rp_span_of(piece), text, n, hidden);
}

/* Few letters, so that much is alike; '%41' is an 'A', '+' a space. */
static size_t draw_secret(char *written, char *decoded, char *form)
{
	static const char *const parts[] = {"a", "b", "a", "b", "a", "b", "A", "%41", "+"};
	size_t n = 1 + draw(9), i, part, at = 0;

	for (i = 0; i < n; i++) {
		part = draw(sizeof parts / sizeof parts[0]);
		memcpy(written + at, parts[part], strlen(parts[part]));
		at += strlen(parts[part]);
		decoded[i] = parts[part][0] == '%' ? 'A' : parts[part][0];
		form[i] = decoded[i] == '+' ? ' ' : decoded[i];
	}
	written[at] = decoded[n] = form[n] = '\0';
	return at;
}

START_TEST(what_is_hidden_is_what_a_slow_search_hides)
{
	static const char letters[] = "aaabbbaaabbbA+ %41";
	unsigned char text[60], before[60], want[60];
	char written[40], decoded[10], form[10];
	bool hidden[60];
	struct rp_mask m;
	size_t n, i, k, n_hidden = 0;
	int round;

	for (round = 0; round < 20000; round++) {
		n = draw(sizeof text + 1);
		for (i = 0; i < n; i++)
			before[i] = text[i] = (unsigned char)letters[draw(sizeof letters - 1)];
		memset(hidden, false, sizeof hidden);
		rp_mask_begin(&m, text, n);
		for (k = draw(5); k > 0; k--) {
			size_t len = draw_secret(written, decoded, form);

			rp_mask_secret(&m, (struct rp_span){written, len});
			hide_slowly(rp_span_of(written), before, n, hidden);
			hide_slowly(rp_span_of(decoded), before, n, hidden);
			hide_slowly(rp_span_of(form), before, n, hidden);
			hide_pieces_slowly(written, before, n, hidden);
		}
		rp_mask_end(&m);
		for (i = 0; i < n; i++) {
			want[i] = hidden[i] ? '*' : before[i];
			n_hidden += hidden[i];
		}
		if (memcmp(text, want, n) != 0)
			ck_abort_msg("round %d: %.*s: %.*s, want %.*s", round, (int)n, before,
				     (int)n, text, (int)n, want);
	}
	ck_assert_uint_gt(n_hidden, 1000);
}
END_TEST

enum { N_PARAMETERS = 2000 };

static struct rp_span nth_value(size_t i, char out[9])
{
	snprintf(out, 9, "%08x", (unsigned)(i * UINT32_C(2654435761)));
	return (struct rp_span){out, 8};
}

/* As of a URL with as many parameters as there is room for, and an answer that repeats some of
 * them. */
START_TEST(many_secrets_cost_a_few_comparisons_each)
{
	unsigned char text[RP_MASK_TEXT_MAX];
	char value[9];
	struct rp_mask m;
	size_t i, n = 0;

	for (i = 0; i < 60; i++)
		n += (size_t)snprintf((char *)text + n, sizeof text - n, "p%zu=%s&", i * 30,
				      nth_value(i * 30, value).ptr);
	rp_mask_begin(&m, text, n);
	for (i = 0; i < N_PARAMETERS; i++)
		rp_mask_secret(&m, nth_value(i, value));
	rp_mask_end(&m);
	for (i = 0; i < 60; i++) {
		ck_assert_ptr_null(memmem(text, n, nth_value(i * 30, value).ptr, 8));
		snprintf(value, sizeof value, "p%zu=*", i * 30);
		ck_assert_ptr_nonnull(memmem(text, n, value, strlen(value)));
	}
	ck_assert_uint_lt(m.compares, 4 * N_PARAMETERS);
}
END_TEST

START_TEST(secrets_made_to_cost_much_hide_the_whole_text_instead)
{
	unsigned char text[RP_MASK_TEXT_MAX];
	char secret[RP_MASK_TEXT_MAX];
	struct rp_mask m;
	size_t i;

	memset(text, 'a', sizeof text);
	text[0] = 'b';
	memset(secret, 'a', sizeof secret);
	secret[sizeof secret - 1] = 'c';
	rp_mask_begin(&m, text, sizeof text);
	for (i = 0; i < 1000; i++)
		rp_mask_secret(&m, (struct rp_span){secret, sizeof secret});
	rp_mask_end(&m);
	ck_assert_uint_lt(m.compares, RP_MASK_COMPARES_MAX + sizeof text);
	for (i = 0; i < sizeof text; i++)
		ck_assert_int_eq(text[i], '*');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mask");
	TCase *tc = tcase_create("mask");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, what_is_hidden_is_what_a_slow_search_hides);
	tcase_add_test(tc, many_secrets_cost_a_few_comparisons_each);
	tcase_add_test(tc, secrets_made_to_cost_much_hide_the_whole_text_instead);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
