/* database_url.c - reads addresses of databases as far as the configuration and the command line
 * need it. It is apart from the store, which may be left out of a build. */

#include "config/database_url.h"

#include <string.h>

static size_t scheme_bytes(const char *text)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};
	size_t i;

	for (i = 0; i < 2; i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

/* Where the name and the password of the user end; *user: where the name does. */
static size_t find_user(const char *text, size_t *user)
{
	size_t scheme = scheme_bytes(text), end = scheme + strcspn(text + scheme, "/?"),
	       at = scheme, i;

	for (i = scheme; i < end; i++)
		if (text[i] == '@')
			at = i;
	*user = scheme + strcspn(text + scheme, ":");
	if (*user > at)
		*user = at;
	return at;
}

bool rp_database_url_is(const char *text)
{
	return scheme_bytes(text) > 0;
}

bool rp_database_url_has_password(const char *text)
{
	const char *p = strchr(text, '?');
	size_t user, at = find_user(text, &user);

	for (; p != NULL; p = strchr(p + 1, '&'))
		if (strncmp(p + 1, "password=", strlen("password=")) == 0)
			return true;
	return user < at;
}

bool rp_database_url_show(const char *text, struct rp_buf *out)
{
	size_t user, at = find_user(text, &user);

	return rp_buf_add(out, text, user) && rp_buf_add(out, text + at, strcspn(text + at, "?"));
}
