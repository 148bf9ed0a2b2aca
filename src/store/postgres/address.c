/* address.c - reads connection strings. libpq reads them as well, and says what it does not know. */
#include "store/postgres/address.h"

#include <stdio.h>

static size_t scheme_length(const char *text)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};
	size_t i;

	for (i = 0; i < 2; i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

/* "user:password@" becomes "user@" where it is shown. */
static void show(const char *text, size_t scheme, struct rp_pg_address *out)
{
	size_t end = strcspn(text, "?"), at = scheme, user = scheme, len = 0, i;

	for (i = scheme; i < end && text[i] != '/'; i++)
		if (text[i] == '@')
			at = i;
	if (at > scheme) {
		user = scheme + strcspn(text + scheme, ":@");
		out->has_password = user < at;
	}
	for (i = 0; i < end; i++)
		if (i < user || i >= at)
			out->shown[len++] = text[i];
	out->shown[len] = '\0';
}

static bool is_schema(const char *name, size_t len)
{
	size_t i;

	if (len == 0 || len >= RP_PG_SCHEMA_MAX || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
		      name[i] == '_'))
			return false;
	return strncmp(name, "pg_", 3) != 0;
}

/* One of ours; *ours: it is. */
static enum rp_err take_parameter(struct rp_span p, struct rp_pg_address *out, bool *ours,
				  struct rp_error *err)
{
	static const char schema[] = "schema=", pooler[] = "pooler=", password[] = "password=";

	*ours = true;
	if (p.len >= sizeof schema - 1 && memcmp(p.ptr, schema, sizeof schema - 1) == 0) {
		const char *name = p.ptr + sizeof schema - 1;
		size_t len = p.len - (sizeof schema - 1);

		if (!is_schema(name, len))
			return rp_fail(err, RP_ERR_INVAL,
				       "%s: schema=%.*s: lower case letters, digits and _ are "
				       "allowed",
				       out->shown, (int)(len < 80 ? len : 80), name);
		memcpy(out->schema, name, len);
		out->schema[len] = '\0';
		return RP_OK;
	}
	if (p.len >= sizeof pooler - 1 && memcmp(p.ptr, pooler, sizeof pooler - 1) == 0) {
		out->pooled = true;
		if (!rp_span_is(p, "pooler=session"))
			return rp_fail(err, RP_ERR_INVAL,
				       "%s: the pooler must be in session mode (pooler=session): "
				       "locks and prepared statements belong to a session",
				       out->shown);
		return RP_OK;
	}
	*ours = false;
	if (p.len >= sizeof password - 1 && memcmp(p.ptr, password, sizeof password - 1) == 0)
		out->has_password = true;
	return RP_OK;
}

enum rp_err rp_pg_address_parse(const char *text, struct rp_pg_address *out, struct rp_error *err)
{
	size_t scheme = scheme_length(text), at = strcspn(text, "?"), len = 0;
	enum rp_err e = RP_OK;
	bool ours;

	*out = (struct rp_pg_address){.schema = "runpost"};
	if (scheme == 0 || strlen(text) >= RP_PG_ADDRESS_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       scheme == 0 ? "the address of a database begins with postgresql://"
					   : "the address of the database is too long");
	show(text, scheme, out);
	memcpy(out->conninfo, text, at);
	len = at;
	while (e == RP_OK && text[at] != '\0') {
		struct rp_span p = {text + at + 1, strcspn(text + at + 1, "&")};

		e = take_parameter(p, out, &ours, err);
		if (!ours) {
			out->conninfo[len] = len == strcspn(text, "?") ? '?' : '&';
			memcpy(out->conninfo + len + 1, p.ptr, p.len);
			len += 1 + p.len;
		}
		at += 1 + p.len;
	}
	out->conninfo[len] = '\0';
	return e;
}
