/* The door's targets: whatever a request asks for, its runs go to a published section, or where
 * somebody with a key said. Input: flags | request target.
 *
 * Flags: which sections are published (4 bits), whether the rest is a URL that is signed here. */
#include "fuzz.h"

#include "serve/door_judge.h"
#include "text/ascii.h"

#define KEY "a-key-of-the-fuzzer"
#define N_SECTIONS 4

static struct rp_config config;
static struct rp_token_list keys;

static void set_up(void)
{
	static const char text[] = "[endpoint \"a\"]\nurl = https://a.example/in/x\n"
				   "[endpoint \"b\"]\nurl = https://a.example\n"
				   "[endpoint \"c\"]\nurl = http://[::1]:8080/c/%7e;v=1/\n"
				   "[endpoint \"d\"]\nurl = https://d.example/hooks/\n"
				   "drop = kwargs.webhook\n";

	if (keys.n > 0)
		return;
	rp_config_init(&config);
	MUST(rp_config_parse(&config, "fuzz.conf", rp_span_of(text), NULL) == RP_OK,
	     "no configuration");
	MUST(rp_token_list_parse(rp_span_of(KEY), RP_TOKEN_KEY, &keys, NULL) == RP_OK, "no key");
}

/* ---- what a lenient receiver may make of a path, written without the code under test ---- */

static size_t decode_once(char *s, size_t n)
{
	size_t i, to = 0;

	for (i = 0; i < n; i++) {
		if (s[i] == '%' && n - i > 2 && rp_char_hex(s[i + 1]) >= 0 &&
		    rp_char_hex(s[i + 2]) >= 0) {
			s[to++] = (char)(rp_char_hex(s[i + 1]) * 16 + rp_char_hex(s[i + 2]));
			i += 2;
		} else {
			s[to++] = s[i];
		}
	}
	return to;
}

/* Whether a path that was decoded so often leaves the place where it begins, if parameters are cut
 * and both slashes separate. An empty segment counts as one that may be gone. */
static bool climbs(struct rp_span rest, unsigned decodings)
{
	char *s = fuzz_copy(rest);
	size_t n = rest.len, at, end;
	bool bad = false;

	while (decodings-- > 0)
		n = decode_once(s, n);
	for (at = 0; at < n; at = end + 1) {
		size_t word = at;

		for (end = at; end < n && s[end] != '/' && s[end] != '\\'; end++)
			bad = bad || s[end] == '\0';
		while (word < end && s[word] != ';')
			word++;
		bad = bad || (word - at == 2 && s[at] == '.' && s[at + 1] == '.') ||
		      (word - at == 1 && s[at] == '.') || (at > 0 && word == at && end < n);
	}
	free(s);
	return bad;
}

static void check_query(struct rp_span query)
{
	struct fuzz_input in = {(const uint8_t *)query.ptr, query.len};

	while (in.left > 0) {
		struct rp_span name = fuzz_until(&in, '&');
		char *copy = fuzz_copy(name);
		const char *equals = name.len > 0 ? memchr(copy, '=', name.len) : NULL;
		struct rp_span plain = {
		    copy, decode_once(copy, equals != NULL ? (size_t)(equals - copy) : name.len)};

		MUST(!rp_span_is(plain, "runpost_token"), "the credential goes on: %.*s",
		     (int)query.len, query.ptr);
		free(copy);
	}
}

static bool is_signed(const struct rp_door_ask *ask)
{
	unsigned char mac[RP_SHA256_BYTES];
	char hex[2 * RP_SHA256_BYTES + 1];
	struct rp_span right = {hex, sizeof hex - 1};

	rp_hmac_sha256(rp_span_of(KEY), &ask->url, 1, mac);
	rp_hex_format(mac, sizeof mac, hex);
	return ask->sig.len == right.len && rp_span_same_but_case(ask->sig, right);
}

static void check_named(const struct rp_door_ask *ask, struct rp_span made)
{
	const struct rp_policy *section = NULL;
	struct rp_span base, rest;
	size_t i;

	for (i = 0; i < config.n_endpoints; i++)
		if (rp_span_is(ask->name, config.endpoints[i].name))
			section = &config.endpoints[i];
	MUST(section != NULL && section->door, "the section is not published");
	base = rp_span_of(section->url);
	MUST(made.len >= base.len && memcmp(made.ptr, base.ptr, base.len) == 0, "%.*s",
	     (int)made.len, made.ptr);
	rest = rp_span_part(made, base.len, made.len);
	rest.len = rp_span_find(rest, 0, '?');
	MUST(rest.len == 0 || rest.ptr[0] == '/' || base.ptr[base.len - 1] == '/', "%.*s",
	     (int)made.len, made.ptr);
	if (rest.len > 0 && rest.ptr[0] == '/')
		rest = rp_span_part(rest, 1, rest.len);
	for (i = 0; i < 4; i++)
		MUST(!climbs(rest, (unsigned)i), "%.*s leaves its section", (int)made.len,
		     made.ptr);
}

static void check_made(const struct rp_door_ask *ask, struct rp_span made,
		       const struct rp_policy *policy)
{
	struct rp_url url;

	MUST(rp_url_parse(made, &url, NULL) == RP_OK, "no URL: %.*s", (int)made.len, made.ptr);
	MUST(rp_config_policy(&config, &url) == policy, "another section");
	MUST(policy->door || (ask->kind == RP_DOOR_TO_URL && is_signed(ask)),
	     "neither published nor signed: %.*s", (int)made.len, made.ptr);
	MUST(ask->n_tokens == 0 || rp_text_is_same(policy->name, "d"),
	     "a token in the URL of a section that cuts nothing");
	if (ask->kind == RP_DOOR_TO_NAME) {
		check_named(ask, made);
		check_query(url.query);
	}
}

static void check_refusal(const struct rp_door_ask *ask, const struct rp_door_refusal *no)
{
	struct rp_span reason = rp_span_of(no->reason);

	MUST(no->status >= 400 && no->status < 600 && no->code != NULL && reason.len > 0 &&
		 no->extra_header_lines != NULL,
	     "no refusal");
	if (ask->token.len >= 16)
		MUST(!fuzz_contains(reason, ask->token), "told: %s", no->reason);
}

/* The query that sign-url makes of a URL, and whether it has to be taken. */
static bool add_signed(struct rp_span url, struct rp_buf *target)
{
	unsigned char mac[RP_SHA256_BYTES];
	char hex[2 * RP_SHA256_BYTES + 1];
	struct rp_buf room = {0};
	struct rp_span sent;
	struct rp_url parts;
	bool good = rp_url_accept(url, &room, &sent, &parts, NULL) == RP_OK;
	size_t i;

	rp_hmac_sha256(rp_span_of(KEY), &url, 1, mac);
	MUST(rp_buf_add_text(target, "/to?url="), "out of memory");
	for (i = 0; i < url.len; i++)
		MUST(rp_buf_printf(target, "%%%02x", (unsigned char)url.ptr[i]), "out of memory");
	MUST(rp_buf_printf(target, "&sig=%s", rp_hex_format(mac, sizeof mac, hex)),
	     "out of memory");
	rp_buf_release(&room);
	return good;
}

/* false: no request has this target. */
static bool parse(struct rp_span target, struct rp_buf *in, struct rp_http_request *request)
{
	const struct rp_http_bounds bounds = {RP_HTTP_REQUEST_HEAD_MAX, 100};

	MUST(rp_buf_add_text(in, "POST ") && rp_buf_add(in, target.ptr, target.len) &&
		 rp_buf_add_text(in, " HTTP/1.1\r\nHost: h\r\n\r\n"),
	     "out of memory");
	rp_http_request_begin(request);
	return rp_http_request_parse(request, in, 0, &bounds) == RP_HTTP_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	unsigned flags = fuzz_byte(&in), i;
	struct rp_buf target = {0}, head = {0}, out = {0};
	struct rp_http_request request;
	struct rp_door_ask ask = {0};
	struct rp_door_refusal no = {0};
	const struct rp_policy *policy = NULL;
	bool must = false, made;

	set_up();
	for (i = 0; i < N_SECTIONS; i++)
		config.endpoints[i].door = (flags >> i & 1) != 0;
	if ((flags & 0x80) != 0)
		must = add_signed(fuzz_rest(&in), &target);
	else
		MUST(rp_buf_add(&target, in.at, in.left), "out of memory");
	MUST(rp_buf_add_text(&out, "<"), "out of memory");
	if (parse((struct rp_span){target.data, target.len}, &head, &request)) {
		made = rp_door_route(&request, &ask, &no);
		made = made && (ask.kind == RP_DOOR_TO_NAME || ask.kind == RP_DOOR_TO_URL) &&
		       rp_door_target_add(&config, &keys, &ask, &out, &policy, &no);
		MUST(made || !must, "signed, and refused: %s", no.reason);
		if (made)
			check_made(&ask, (struct rp_span){out.data + 1, out.len - 1}, policy);
		else if (no.status != 0)
			check_refusal(&ask, &no);
		MUST(made || strcmp(out.data, "<") == 0, "refused, and appended to");
	}
	rp_door_ask_release(&ask);
	rp_buf_release(&target);
	rp_buf_release(&head);
	rp_buf_release(&out);
	return 0;
}
