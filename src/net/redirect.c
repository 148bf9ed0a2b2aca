/* redirect.c - resolves a Location against a URL and describes the difference in words. Nothing
 * connects to the result: it is only shown. */

#include "net/redirect.h"

#include <stdio.h>

#include "text/ascii.h"

/* --- resolving ---------------------------------------------------------------------------- */

/* RFC 3986 3.1. */
static bool has_scheme(struct rp_span s)
{
	size_t i = 0;

	while (i < s.len && (rp_char_is_alnum(s.ptr[i]) || rp_char_is_one_of(s.ptr[i], "+-.")))
		i++;
	return i > 0 && i < s.len && s.ptr[i] == ':' && !rp_char_is_digit(s.ptr[0]);
}

static bool add_origin(const struct rp_url *url, struct rp_buf *out)
{
	return rp_buf_add_text(out, url->https ? "https://" : "http://") &&
	       rp_buf_add(out, url->host.ptr, url->host.len) &&
	       (url->port == (url->https ? 443 : 80) ||
		rp_buf_printf(out, ":%u", (unsigned)url->port));
}

/* RFC 3986 5.2.4, for what has been added to out from `at` on, which begins with '/'. */
static void remove_dot_segments(struct rp_buf *out, size_t at)
{
	char *path = out->data + at;
	size_t len = strcspn(path, "?"), from = 0, to = 0;

	while (from < len) {
		size_t end = from + 1;

		while (end < len && path[end] != '/')
			end++;
		if (end - from == 2 && path[from + 1] == '.') {
			if (end == len) /* "/." ends the path as "/" */
				path[to++] = '/';
		} else if (end - from == 3 && path[from + 1] == '.' && path[from + 2] == '.') {
			while (to > 0 && path[--to] != '/')
				;
			if (end == len)
				path[to++] = '/';
		} else {
			memmove(path + to, path + from, end - from);
			to += end - from;
		}
		from = end;
	}
	memmove(path + to, path + len, out->len - at - len + 1);
	out->len -= len - to;
}

static bool add_path(const struct rp_url *asked, struct rp_span location, struct rp_buf *out)
{
	size_t at, dir = asked->path.len;
	bool ok = true;

	if (!add_origin(asked, out))
		return false;
	at = out->len;
	if (location.ptr[0] == '?') {
		ok = rp_buf_add(out, asked->path.ptr, asked->path.len);
	} else if (location.ptr[0] != '/') {
		while (dir > 0 && asked->path.ptr[dir - 1] != '/')
			dir--;
		ok = dir > 0 ? rp_buf_add(out, asked->path.ptr, dir) : rp_buf_add_char(out, '/');
	}
	if (!ok || !rp_buf_add(out, location.ptr, location.len))
		return false;
	if (out->data[at] == '/')
		remove_dot_segments(out, at);
	return true;
}

bool rp_redirect_resolve(const struct rp_url *asked, struct rp_span location, struct rp_buf *out)
{
	location.len = rp_span_find(location, 0, '#');
	if (location.len == 0)
		return rp_url_endpoint(asked, out);
	if (has_scheme(location))
		return rp_buf_add(out, location.ptr, location.len);
	if (location.len >= 2 && memcmp(location.ptr, "//", 2) == 0)
		return rp_buf_add_text(out, asked->https ? "https:" : "http:") &&
		       rp_buf_add(out, location.ptr, location.len);
	return add_path(asked, location, out);
}

/* --- comparing ---------------------------------------------------------------------------- */

static bool same(struct rp_span a, struct rp_span b, bool any_case)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++) {
		if (a.ptr[i] != b.ptr[i] &&
		    !(any_case && rp_char_lower(a.ptr[i]) == rp_char_lower(b.ptr[i])))
			return false;
	}
	return true;
}

static struct rp_span without_slash(struct rp_span path)
{
	if (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	return path;
}

static unsigned compare_paths(struct rp_span asked, struct rp_span target)
{
	/* no path means "/" */
	if (same(asked, target, false) || (asked.len <= 1 && target.len <= 1))
		return 0;
	return same(without_slash(asked), without_slash(target), false) ? RP_REDIRECT_SLASH
									: RP_REDIRECT_PATH;
}

unsigned rp_redirect_compare(const struct rp_url *asked, const struct rp_url *target)
{
	bool defaults =
	    asked->port == (asked->https ? 443 : 80) && target->port == (target->https ? 443 : 80);

	return (asked->https != target->https ? RP_REDIRECT_SCHEME : 0) |
	       (same(asked->host, target->host, true) ? 0 : RP_REDIRECT_HOST) |
	       (asked->port == target->port || defaults ? 0 : RP_REDIRECT_PORT) |
	       compare_paths(asked->path, target->path) |
	       (!target->has_query || (asked->has_query && same(asked->query, target->query, false))
		    ? 0
		    : RP_REDIRECT_QUERY);
}

/* --- telling ------------------------------------------------------------------------------ */

/* "www.a.example" and "a.example", either way. */
static bool is_www(struct rp_span a, struct rp_span b)
{
	const struct rp_span www = rp_span_of("www.");
	struct rp_span more = a.len > b.len ? a : b, less = a.len > b.len ? b : a;

	return more.len == less.len + www.len && same(rp_span_part(more, 0, www.len), www, true) &&
	       same(rp_span_part(more, www.len, more.len), less, true);
}

/* "" where the target speaks for itself. */
static const char *difference(const struct rp_url *asked, const struct rp_url *target)
{
	bool longer = target->path.len > asked->path.len;

	switch (rp_redirect_compare(asked, target)) {
	case 0:
		return " (nothing differs: a loop)";
	case RP_REDIRECT_SCHEME:
		return target->https ? " (only https differs)" : " (only http differs)";
	case RP_REDIRECT_SLASH:
		return longer ? " (only a slash is missing)" : " (only a slash is too much)";
	case RP_REDIRECT_HOST:
		return is_www(asked->host, target->host) ? " (only the host differs: www.)"
							 : " (only the host differs)";
	case RP_REDIRECT_PORT:
		return " (only the port differs)";
	case RP_REDIRECT_QUERY:
		return " (only the query differs)";
	case RP_REDIRECT_SCHEME | RP_REDIRECT_SLASH:
		return " (only scheme and slash differ)";
	case RP_REDIRECT_SCHEME | RP_REDIRECT_HOST:
		return is_www(asked->host, target->host) ? " (only scheme and www. differ)"
							 : " (only scheme and host differ)";
	default:
		return "";
	}
}

static bool add_target(const struct rp_url *target, bool redact_path, struct rp_buf *out)
{
	if (!redact_path)
		return rp_url_redact(target, out);
	return add_origin(target, out) &&
	       (target->path.len <= 1 || rp_buf_add_text(out, "/REDACTED"));
}

const char *rp_redirect_text(const struct rp_url *asked, struct rp_span location, bool redact_path,
			     char *out, size_t size)
{
	struct rp_buf resolved = {.max = RP_URL_MAX + RP_LOCATION_MAX}, shown = {0};
	struct rp_url target;
	int n;

	if (location.len == 0)
		n = snprintf(out, size, "redirects without a Location");
	else if (location.len > RP_LOCATION_MAX ||
		 !rp_redirect_resolve(asked, location, &resolved) ||
		 rp_url_parse((struct rp_span){resolved.data, resolved.len}, &target, NULL) !=
		     RP_OK ||
		 !add_target(&target, redact_path, &shown))
		n = snprintf(out, size, "redirects to what is no http or https URL that we take");
	else
		n = snprintf(out, size, "redirects%s to %s", difference(asked, &target),
			     shown.data);
	if (n >= (int)size && size > 3)
		memcpy(out + size - 4, "...", 4);
	rp_buf_release(&resolved);
	rp_buf_release(&shown);
	return out;
}
