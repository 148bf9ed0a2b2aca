/* URLs: what we read is what libcurl will fetch, and what is shown tells nothing of the query.
 *
 * Secrets are looked for by non-interference: a URL whose secret bytes are exchanged for others
 * must be shown the same. Input: where a canary goes | flags | URL [NUL text that a receiver sent
 * back]. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <strings.h>

#include "net/redirect.h"
#include "net/url.h"

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static void same_part(CURLU *handle, CURLUPart part, struct rp_span ours, const char *name)
{
	char *theirs = NULL;
	CURLUcode rc = curl_url_get(handle, part, &theirs, 0);

	if (rc != CURLUE_OK)
		MUST(ours.len == 0, "libcurl finds no %s where we find %.*s", name, (int)ours.len,
		     ours.ptr);
	else
		MUST(strlen(theirs) == ours.len && strncasecmp(theirs, ours.ptr, ours.len) == 0,
		     "%s: libcurl finds %s where we find %.*s", name, theirs, (int)ours.len,
		     ours.ptr);
	curl_free(theirs);
}

/* libcurl writes addresses in their shortest form. */
static void same_address(CURLU *handle, struct rp_span ours)
{
	unsigned char our_bytes[16], their_bytes[16];
	char *theirs = NULL, *copy = fuzz_text((struct rp_span){ours.ptr + 1, ours.len - 2});

	MUST(curl_url_get(handle, CURLUPART_HOST, &theirs, 0) == CURLUE_OK,
	     "libcurl finds no host");
	theirs[strlen(theirs) - 1] = '\0';
	MUST(inet_pton(AF_INET6, copy, our_bytes) == 1 &&
		 inet_pton(AF_INET6, theirs + 1, their_bytes) == 1 &&
		 memcmp(our_bytes, their_bytes, 16) == 0,
	     "host: libcurl finds %s], we %s", theirs, copy);
	curl_free(theirs);
	free(copy);
}

/* Whatever we accept libcurl accepts, and takes apart as we do. */
static void against_libcurl(struct rp_span text, const struct rp_url *url)
{
	char *copy = fuzz_text(text), port[8];
	CURLU *handle = curl_url();
	char *theirs = NULL;
	CURLUcode rc;

	MUST(handle != NULL, "out of memory");
	rc = curl_url_set(handle, CURLUPART_URL, copy, CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
	MUST(rc == CURLUE_OK, "libcurl refuses %s: %s", copy, curl_url_strerror(rc));
	same_part(handle, CURLUPART_SCHEME, rp_span_of(url->https ? "https" : "http"), "scheme");
	/* 0x7f000001 and the like: libcurl makes 127.0.0.1 of it, and the guard judges the
	 * socket */
	if (url->host.ptr[0] == '[')
		same_address(handle, url->host);
	else if (memchr("0123456789", url->host.ptr[url->host.len - 1], 10) == NULL &&
		 strncasecmp(url->host.ptr, "0x", 2) != 0 &&
		 memchr(url->host.ptr, 'x', url->host.len) == NULL &&
		 memchr(url->host.ptr, 'X', url->host.len) == NULL)
		same_part(handle, CURLUPART_HOST, url->host, "host");
	same_part(handle, CURLUPART_PATH, url->path.len > 0 ? url->path : rp_span_of("/"), "path");
	same_part(handle, CURLUPART_QUERY, url->query, "query");
	snprintf(port, sizeof port, "%u", (unsigned)url->port);
	rc = curl_url_get(handle, CURLUPART_PORT, &theirs, CURLU_DEFAULT_PORT);
	MUST(rc == CURLUE_OK && strcmp(theirs, port) == 0, "port: libcurl finds %s, we %s", theirs,
	     port);
	curl_free(theirs);
	MUST(curl_url_get(handle, CURLUPART_USER, &theirs, 0) != CURLUE_OK &&
		 curl_url_get(handle, CURLUPART_FRAGMENT, &theirs, 0) != CURLUE_OK,
	     "a user or a fragment");
	curl_url_cleanup(handle);
	free(copy);
}

static void check_endpoint(const struct rp_url *url)
{
	struct rp_buf name = {0}, again = {0};
	struct rp_url parsed;

	MUST(rp_url_endpoint(url, &name), "out of memory");
	MUST(rp_url_parse((struct rp_span){name.data, name.len}, &parsed, NULL) == RP_OK,
	     "no URL: %s", name.data);
	MUST(!parsed.has_query && rp_url_endpoint(&parsed, &again) &&
		 strcmp(name.data, again.data) == 0,
	     "%s became %s", name.data, again.data);
	MUST(rp_url_match_prefix(&parsed, url) > 1 && rp_url_match_prefix(url, &parsed) > 0,
	     "it does not belong to %s", name.data);
	rp_buf_release(&name);
	rp_buf_release(&again);
}

/* Writes some of the path's and host's letters in another way that means the same: a section that
 * signs covers both spellings, and both are one endpoint. */
static void check_spellings(struct rp_span text, const struct rp_url *url, size_t which)
{
	size_t host_at = (size_t)(url->host.ptr - text.ptr), host_end = host_at + url->host.len, i;
	size_t path_at = url->path.len > 0 ? (size_t)(url->path.ptr - text.ptr) : text.len;
	bool dot = url->host.ptr[0] != '[' && url->host.ptr[url->host.len - 1] != '.' &&
		   url->host.len < 253;
	struct rp_buf other = {0}, name = {0}, other_name = {0};
	struct rp_url respelled;
	bool ok = true;

	for (i = 0; ok && i < text.len; i++) {
		char c = text.ptr[i];
		bool in_path = i >= path_at && i < path_at + url->path.len;

		if (i == host_end && dot && which % 2 == 1)
			ok = rp_buf_add_char(&other, '.');
		if (ok && in_path && is_unreserved(c) && c != '.' && (which >> i % 16 & 1) != 0 &&
		    (text.ptr[i - 1] != '%' && (i < 2 || text.ptr[i - 2] != '%')))
			ok = rp_buf_printf(&other, "%%%02x", (unsigned char)c);
		else
			ok = ok && rp_buf_add_char(&other, c);
	}
	if (host_end == text.len && dot && which % 2 == 1)
		ok = ok && rp_buf_add_char(&other, '.');
	MUST(ok, "out of memory");
	/* else too long */
	if (rp_url_parse((struct rp_span){other.data, other.len}, &respelled, NULL) == RP_OK) {
		MUST(rp_url_match_prefix(url, &respelled) > 0 &&
			 rp_url_match_prefix(&respelled, url) > 0,
		     "%s leads past a section", other.data);
		MUST(rp_url_endpoint(url, &name) && rp_url_endpoint(&respelled, &other_name),
		     "out of memory");
		MUST(strcmp(name.data, other_name.data) == 0, "%s and %s", name.data,
		     other_name.data);
	} else {
		MUST(other.len > RP_URL_MAX, "%s is refused", other.data);
	}
	rp_buf_release(&other);
	rp_buf_release(&name);
	rp_buf_release(&other_name);
}

/* Adds parameters to segments and encodes letters twice: for sections that is another spelling,
 * for endpoints it is not. */
static void check_lenient_spellings(struct rp_span text, const struct rp_url *url, size_t which)
{
	size_t path_at = (size_t)(url->path.ptr - text.ptr), path_end = path_at + url->path.len, i;
	bool twice = !fuzz_contains(text, rp_span_of("%25")), ok = true;
	struct rp_buf other = {0};
	struct rp_url respelled;

	if (url->path.len == 0)
		return;
	for (i = 0; ok && i <= text.len; i++) {
		bool in_path = i > path_at && i < path_end, chosen = (which >> i % 16 & 1) != 0;

		if (chosen && i > path_at && (i == path_end || (in_path && text.ptr[i] == '/')))
			ok = rp_buf_add_text(&other, ";v=1");
		if (!ok || i == text.len)
			break;
		if (twice && chosen && in_path && is_unreserved(text.ptr[i]) &&
		    text.ptr[i - 1] != '%' && text.ptr[i - 2] != '%')
			ok = rp_buf_printf(&other, "%%25%02x", (unsigned char)text.ptr[i]);
		else
			ok = rp_buf_add_char(&other, text.ptr[i]);
	}
	MUST(ok, "out of memory");
	/* else too long */
	if (rp_url_parse((struct rp_span){other.data, other.len}, &respelled, NULL) == RP_OK)
		MUST(rp_url_match_prefix(url, &respelled) > 0 &&
			 rp_url_match_prefix(&respelled, url) > 0,
		     "%s leads past a section", other.data);
	else
		MUST(other.len > RP_URL_MAX, "%s is refused", other.data);
	rp_buf_release(&other);
}

/* Whatever is encoded decodes to what was given, and is taken as it is the second time. */
static void check_accepted(struct rp_span text)
{
	struct rp_buf room = {0}, again = {0};
	struct rp_span sent, same;
	struct rp_url url;
	size_t i, at = 0;

	if (rp_url_accept(text, &room, &sent, &url, NULL) == RP_OK) {
		MUST(rp_url_accept(sent, &again, &same, &url, NULL) == RP_OK &&
			 same.ptr == sent.ptr,
		     "encoded twice");
		for (i = 0; i < text.len; i++, at++) {
			unsigned char c = (unsigned char)text.ptr[i];

			if (c == (unsigned char)sent.ptr[at])
				continue;
			MUST(sent.len - at >= 3 && sent.ptr[at] == '%' &&
				 strtoul((char[]){sent.ptr[at + 1], sent.ptr[at + 2], '\0'}, NULL,
					 16) == c,
			     "byte %zu became another", i);
			at += 2;
		}
		MUST(at == sent.len, "something was added");
		against_libcurl(sent, &url);
	}
	rp_buf_release(&room);
	rp_buf_release(&again);
}

/* Exchanges every secret byte of the query in place. A parameter is a name that may be shown and a
 * value, or a secret as a whole; '=' signs stay, since where they stand decides which. */
static void exchange_secrets(char *query, size_t n)
{
	size_t at, i;

	for (at = 0; at <= n;) {
		char *param = query + at;
		size_t len = 0, name, rest;
		bool shown;

		while (at + len < n && param[len] != '&')
			len++;
		for (name = 0; name < len && param[name] != '='; name++)
			continue;
		for (rest = name; rest < len && param[rest] == '='; rest++)
			continue;
		shown = name > 0 && name <= 24 && rest < len;
		for (i = 0; shown && i < name; i++)
			shown = is_unreserved(param[i]);
		for (i = shown ? name + 1 : 0; i < len; i++) {
			if (param[i] == '=')
				continue;
			if (shown || name == len || i >= name)
				param[i] = param[i] == 'q' ? 'z' : 'q';
			else if (name > 24 || rest == len)
				param[i] = is_unreserved(param[i]) ? 'q' : '~';
			else
				param[i] = '~';
		}
		at += len + 1;
	}
}

static void check_redacted(struct rp_span text, const struct rp_url *url)
{
	struct rp_buf shown = {0}, other = {0};
	char *copy = fuzz_copy(text);
	struct rp_url changed;
	struct rp_error err = {0};

	MUST(rp_url_redact(url, &shown), "out of memory");
	if (url->has_query)
		exchange_secrets(copy + (url->query.ptr - text.ptr), url->query.len);
	MUST(rp_url_parse((struct rp_span){copy, text.len}, &changed, &err) == RP_OK, "%.*s: %s",
	     (int)text.len, copy, err.text);
	MUST(rp_url_redact(&changed, &other), "out of memory");
	MUST(strcmp(shown.data, other.data) == 0, "%s tells more than %s", shown.data, other.data);
	rp_buf_release(&shown);
	rp_buf_release(&other);
	free(copy);
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static struct rp_span decoded(struct rp_span s, bool form, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < s.len; i++) {
		if (s.ptr[i] == '%') {
			out[n++] = (char)(hex(s.ptr[i + 1]) << 4 | hex(s.ptr[i + 2]));
			i += 2;
		} else {
			out[n++] = form && s.ptr[i] == '+' ? ' ' : s.ptr[i];
		}
	}
	return (struct rp_span){out, n};
}

/* An answer that repeats a value, as written or decoded, is masked. */
static void check_masked(const struct rp_url *url, struct rp_span answer)
{
	struct fuzz_input in = {(const uint8_t *)url->query.ptr, url->query.len};
	char *text = fuzz_copy(answer), plain[RP_URL_MAX];
	struct rp_span masked = {text, answer.len};
	size_t i;

	if (answer.len > 512)
		masked.len = 512;
	rp_url_mask_secrets(url, (unsigned char *)text, masked.len);
	for (i = 0; i < masked.len; i++)
		MUST(text[i] == answer.ptr[i] || text[i] == '*', "a byte became another");
	while (in.left > 0) {
		struct rp_span param = fuzz_until(&in, '&'), value = param, shape;
		const char *equals = memchr(param.ptr, '=', param.len);
		int form;

		if (equals != NULL) {
			value.ptr = equals + 1;
			value.len = param.len - (size_t)(value.ptr - param.ptr);
		}
		for (form = 0; form < 3; form++) {
			shape = form == 0 ? value : decoded(value, form == 2, plain);
			if (shape.len < 4 || memchr(shape.ptr, '*', shape.len) != NULL)
				continue;
			MUST(!fuzz_contains(masked, shape), "%.*s is still there", (int)shape.len,
			     shape.ptr);
		}
	}
	free(text);
}

/* Puts a canary into the query or the userinfo of any text, URL or not: no message repeats it. */
static void check_messages(struct rp_span text, size_t where)
{
	static const char canary[] = "=Zq7kWx4";
	const size_t n = sizeof canary - 1;
	const char *mark = text.len > 0 ? memchr(text.ptr, '?', text.len) : NULL;
	const char *at_sign = text.len > 0 ? memchr(text.ptr, '@', text.len) : NULL;
	const char *authority = text.len > 0 ? memmem(text.ptr, text.len, "//", 2) : NULL;
	struct rp_error err = {.text = ""};
	struct rp_buf shown = {0};
	struct rp_url url;
	size_t from, at;
	char *copy;

	if (fuzz_contains(text, rp_span_of(canary + 1)))
		return;
	if (mark != NULL && (at_sign == NULL || at_sign > mark))
		from = (size_t)(mark - text.ptr) + 1;
	else if (at_sign != NULL && authority != NULL && authority < at_sign)
		from = (size_t)(authority - text.ptr) + 2;
	else
		return;
	at = mark != NULL && from == (size_t)(mark - text.ptr) + 1
		 ? from + where % (text.len - from + 1)
		 : from;
	copy = malloc(text.len + n);
	MUST(copy != NULL, "out of memory");
	memcpy(copy, text.ptr, at);
	memcpy(copy + at, canary, n);
	memcpy(copy + at + n, text.ptr + at, text.len - at);
	if (rp_url_parse((struct rp_span){copy, text.len + n}, &url, &err) == RP_OK)
		MUST(rp_url_redact(&url, &shown), "out of memory");
	MUST(strstr(err.text, canary + 1) == NULL, "told: %s", err.text);
	MUST(shown.data == NULL || strstr(shown.data, canary + 1) == NULL, "shown: %s", shown.data);
	rp_buf_release(&shown);
	free(copy);
}

/* What a receiver names as the place to go to is told as a text that fits and repeats no query
 * value. */
static void check_redirect(const struct rp_url *url, struct rp_span location)
{
	struct rp_buf resolved = {0};
	char text[RP_LOCATION_MAX + 200];
	struct rp_url target;

	rp_redirect_text(url, location, false, text, sizeof text);
	MUST(strncmp(text, "redirects", 9) == 0 && strlen(text) < sizeof text, "no text: %s", text);
	MUST(rp_redirect_resolve(url, location, &resolved), "out of memory");
	if (rp_url_parse((struct rp_span){resolved.data, resolved.len}, &target, NULL) == RP_OK)
		check_redacted((struct rp_span){resolved.data, resolved.len}, &target);
	rp_buf_release(&resolved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	size_t where = fuzz_number(&in, 2);
	struct rp_span given = fuzz_until(&in, '\0'), answer = fuzz_rest(&in), text = given;
	struct rp_error err = {.text = ""};
	char *copy = fuzz_copy(given);
	struct rp_url url;

	text.ptr = copy;
	if (rp_url_parse(text, &url, &err) == RP_OK) {
		MUST(text.len <= RP_URL_MAX && url.host.len > 0 && url.port > 0, "no host");
		against_libcurl(text, &url);
		check_endpoint(&url);
		check_spellings(text, &url, where);
		check_lenient_spellings(text, &url, where);
		check_redacted(text, &url);
		check_masked(&url, answer);
		check_redirect(&url, answer);
	} else {
		MUST(err.text[0] != '\0', "no reason");
	}
	check_accepted(text);
	check_messages(text, where);
	free(copy);
	return 0;
}
