/* token_list.c - parses and searches lists of tokens and keys. Tokens are compared by their
 * digests: they have one length, and how far two of them agree tells nothing of the tokens. */

#include "serve/token_list.h"

#include <stdlib.h>

#include "text/ascii.h"

static bool is_bearer_char(char c)
{
	return rp_char_is_alnum(c) || rp_char_is_one_of(c, "-._~+/");
}

static bool has_right_bytes(struct rp_span text, enum rp_token_kind kind)
{
	size_t i = 0;

	if (kind == RP_TOKEN_BEARER) {
		while (i < text.len && is_bearer_char(text.ptr[i]))
			i++;
		while (i > 0 && i < text.len && text.ptr[i] == '=')
			i++;
	} else {
		while (i < text.len && text.ptr[i] > ' ' && text.ptr[i] <= '~')
			i++;
	}
	return i == text.len;
}

static enum rp_err judge_line(struct rp_span text, enum rp_token_kind kind, unsigned line,
			      struct rp_error *err)
{
	if (text.len < RP_TOKEN_BYTES_MIN || text.len > RP_TOKEN_BYTES_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       "line %u: there are %zu characters; accepted: %d to %d, alone on a "
			       "line; make some with: openssl rand -hex 32",
			       line, text.len, RP_TOKEN_BYTES_MIN, RP_TOKEN_BYTES_MAX);
	if (!has_right_bytes(text, kind))
		return rp_fail(err, RP_ERR_INVAL,
			       kind == RP_TOKEN_BEARER
				   ? "line %u: a byte cannot stand in a bearer token; accepted: "
				     "letters, digits, - . _ ~ + / and = at the end"
				   : "line %u: a byte is a space, a control character or not "
				     "ASCII; accepted: one key alone on a line",
			       line);
	return RP_OK;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next line off *text, without the white space around it. */
static struct rp_span line_take(struct rp_span *text)
{
	size_t end = rp_span_find(*text, 0, '\n');
	struct rp_span line = rp_span_part(*text, 0, end);

	*text = rp_span_part(*text, end + (end < text->len), text->len);
	while (line.len > 0 && is_blank(line.ptr[0]))
		line = rp_span_part(line, 1, line.len);
	while (line.len > 0 && is_blank(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static enum rp_err token_add(struct rp_token_list *list, struct rp_span text, unsigned line,
			     struct rp_error *err)
{
	struct rp_listed_token *token = &list->tokens[list->n];
	size_t i;

	token->text = text;
	rp_sha256(&text, 1, token->digest);
	for (i = 0; i < list->n; i++)
		if (rp_equal_constant_time(list->tokens[i].digest, token->digest,
					   sizeof token->digest))
			return rp_fail(err, RP_ERR_INVAL,
				       "line %u: this one is there already; leave one of them out",
				       line);
	list->n++;
	return RP_OK;
}

static enum rp_err lines_take(struct rp_token_list *list, enum rp_token_kind kind,
			      struct rp_error *err)
{
	struct rp_span left = rp_span_after_bom((struct rp_span){list->text, list->text_bytes});
	enum rp_err code = RP_OK;
	unsigned n;

	for (n = 1; left.len > 0 && code == RP_OK; n++) {
		struct rp_span line = line_take(&left);

		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (list->n == RP_TOKENS_MAX)
			return rp_fail(err, RP_ERR_INVAL,
				       "line %u: more than %d of them; remove the old ones", n,
				       RP_TOKENS_MAX);
		code = judge_line(line, kind, n, err);
		if (code == RP_OK)
			code = token_add(list, line, n, err);
	}
	if (code == RP_OK && list->n == 0)
		return rp_fail(err, RP_ERR_INVAL,
			       "line 1: there is none in the file; give one a line, for example "
			       "what this prints: openssl rand -hex 32");
	return code;
}

enum rp_err rp_token_list_parse(struct rp_span text, enum rp_token_kind kind,
				struct rp_token_list *out, struct rp_error *err)
{
	struct rp_token_list list = {0};
	enum rp_err code;

	list.tokens = calloc(RP_TOKENS_MAX, sizeof *list.tokens);
	list.text = malloc(text.len + 1);
	if (list.tokens == NULL || list.text == NULL) {
		free(list.tokens);
		free(list.text);
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	}
	if (text.len > 0)
		memcpy(list.text, text.ptr, text.len);
	list.text_bytes = text.len;
	code = lines_take(&list, kind, err);
	if (code == RP_OK)
		*out = list;
	else
		rp_token_list_release(&list);
	return code;
}

void rp_token_list_release(struct rp_token_list *list)
{
	if (list->text != NULL)
		rp_wipe(list->text, list->text_bytes);
	free(list->text);
	free(list->tokens);
	*list = (struct rp_token_list){0};
}

bool rp_token_list_has(const struct rp_token_list *list, struct rp_span token)
{
	unsigned char digest[RP_SHA256_BYTES];
	unsigned found = 0;
	size_t i;

	rp_sha256(&token, 1, digest);
	for (i = 0; i < list->n; i++)
		found |= rp_equal_constant_time(list->tokens[i].digest, digest, sizeof digest);
	return found != 0;
}

/* false: not so many digits. */
static bool read_hex(struct rp_span hex, unsigned char out[RP_SHA256_BYTES])
{
	size_t i;

	if (hex.len != (size_t)2 * RP_SHA256_BYTES)
		return false;
	for (i = 0; i < hex.len; i += 2) {
		int high = rp_char_hex(hex.ptr[i]), low = rp_char_hex(hex.ptr[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool rp_token_list_signed(const struct rp_token_list *list, struct rp_span message,
			  struct rp_span hex)
{
	unsigned char given[RP_SHA256_BYTES], right[RP_SHA256_BYTES];
	unsigned found = 0;
	size_t i;

	if (!read_hex(hex, given))
		return false;
	for (i = 0; i < list->n; i++) {
		rp_hmac_sha256(list->tokens[i].text, &message, 1, right);
		found |= rp_equal_constant_time(right, given, sizeof given);
	}
	rp_wipe(right, sizeof right);
	return found != 0;
}
