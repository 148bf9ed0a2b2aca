/* address.c - reads connection strings as libpq's conninfo_uri_parse does, and takes out of them
 * what libpq is not to see. */
#include "store/postgres/address.h"

#include <stdio.h>
#include <stdlib.h>

/* The text is cut where libpq would cut it. */
struct parts {
	struct rp_span scheme, user, password, hosts, database, parameters;
	bool has_user, has_password;
};

static size_t scheme_length(const char *text)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};
	size_t i;

	for (i = 0; i < 2; i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

static struct parts cut(const char *text)
{
	size_t scheme = scheme_length(text);
	const char *p = text + scheme;
	size_t n = strcspn(p, "@/");
	struct parts parts = {.scheme = {text, scheme}};

	if (p[n] == '@') {
		parts.has_user = true;
		parts.user = (struct rp_span){p, strcspn(p, ":@")};
		parts.has_password = p[parts.user.len] == ':';
		if (parts.has_password)
			parts.password =
			    (struct rp_span){p + parts.user.len + 1, n - parts.user.len - 1};
		p += n + 1;
	}
	parts.hosts = (struct rp_span){p, strcspn(p, "/?")};
	p += parts.hosts.len;
	parts.database = (struct rp_span){p, strcspn(p, "?")};
	p += parts.database.len;
	if (*p == '?')
		parts.parameters = rp_span_of(p + 1);
	return parts;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %HH become bytes. false: one is malformed, is NUL, or all do not fit. */
static bool decode(struct rp_span text, char *out, size_t size)
{
	size_t len = 0, i;

	for (i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '%') {
			int high = i + 2 < text.len ? hex(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? hex(text.ptr[i + 2]) : -1;

			if (high < 0 || low < 0 || (high | low) == 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (len + 1 >= size)
			return false;
		out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

static bool append(char out[RP_PG_ADDRESS_MAX], struct rp_span text)
{
	size_t len = strlen(out);

	if (len + text.len >= RP_PG_ADDRESS_MAX)
		return false;
	if (text.len > 0)
		memcpy(out + len, text.ptr, text.len);
	out[len + text.len] = '\0';
	return true;
}

/* All but the password and the parameters. The whole text was seen to be short enough. */
static void show(const struct parts *parts, char out[RP_PG_ADDRESS_MAX])
{
	append(out, parts->scheme);
	append(out, parts->user);
	if (parts->has_user)
		append(out, (struct rp_span){"@", 1});
	append(out, parts->hosts);
	append(out, parts->database);
}

/* --- hosts ------------------------------------------------------------------------------- */

static bool is_port(struct rp_span text)
{
	unsigned long port = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || port > 65535)
			return false;
		port = port * 10 + (unsigned long)(text.ptr[i] - '0');
	}
	return text.len == 0 || (port > 0 && port <= 65535);
}

static struct rp_span next_of_list(struct rp_span *rest)
{
	const char *comma = rest->len > 0 ? memchr(rest->ptr, ',', rest->len) : NULL;
	struct rp_span first = {rest->ptr, comma != NULL ? (size_t)(comma - rest->ptr) : rest->len};

	rest->ptr += first.len + (comma != NULL);
	rest->len -= first.len + (comma != NULL);
	return first;
}

/* "name", "name:port", "[address]:port". */
static bool take_host(struct rp_span text, struct rp_pg_host *out)
{
	struct rp_span name = text, port = {NULL, 0};
	const char *end;

	if (text.len > 0 && text.ptr[0] == '[') {
		end = memchr(text.ptr, ']', text.len);
		if (end == NULL)
			return false;
		name = (struct rp_span){text.ptr + 1, (size_t)(end - text.ptr) - 1};
		port = (struct rp_span){end + 1, text.len - name.len - 2};
		if (port.len > 0 && port.ptr[0] != ':')
			return false;
	} else if (text.len > 0 && (end = memchr(text.ptr, ':', text.len)) != NULL) {
		name.len = (size_t)(end - text.ptr);
		port = (struct rp_span){end, text.len - name.len};
	}
	if (port.len > 0)
		port = (struct rp_span){port.ptr + 1, port.len - 1};
	return is_port(port) && decode(name, out->name, sizeof out->name) &&
	       decode(port, out->port, sizeof out->port);
}

static enum rp_err take_hosts(struct rp_span hosts, struct rp_pg_address *out, struct rp_error *err)
{
	bool several = hosts.len > 0 && memchr(hosts.ptr, ',', hosts.len) != NULL;
	bool ends_open = hosts.len > 0 && hosts.ptr[hosts.len - 1] == ',';
	size_t n = 0;

	while (hosts.len > 0) {

		if (n == RP_PG_HOSTS_MAX)
			return rp_fail(err, RP_ERR_INVAL,
				       "the address of the database names more than %d hosts",
				       RP_PG_HOSTS_MAX);
		/* It may be the tail of a password: it is not shown. */
		if (!take_host(next_of_list(&hosts), &out->hosts[n]))
			return rp_fail(err, RP_ERR_INVAL,
				       "the address of the database has a host or port that is "
				       "none; in a user or password write / as %%2F and : as %%3A");
		if (several && (ends_open || out->hosts[n].name[0] == '\0'))
			return rp_fail(err, RP_ERR_INVAL,
				       "the address of the database has a comma without a host");
		n++;
	}
	out->n_hosts = n;
	return RP_OK;
}

/* The parameters host and port have their lists apart; one port is for all. */
static bool take_ports(struct rp_span ports, struct rp_pg_address *out)
{
	bool one = ports.len == 0 || memchr(ports.ptr, ',', ports.len) == NULL;
	struct rp_span port = {NULL, 0};
	size_t i;

	for (i = 0; i < out->n_hosts; i++) {
		if (i == 0 || !one)
			port = next_of_list(&ports);
		if (!is_port(port) || !decode(port, out->hosts[i].port, sizeof out->hosts[i].port))
			return false;
	}
	return ports.len == 0;
}

/* --- parameters -------------------------------------------------------------------------- */

static bool is_schema(struct rp_span name)
{
	size_t i;

	if (name.len == 0 || name.len >= RP_PG_SCHEMA_MAX ||
	    (name.ptr[0] >= '0' && name.ptr[0] <= '9'))
		return false;
	for (i = 0; i < name.len; i++)
		if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
		      (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '_'))
			return false;
	return name.len < 3 || memcmp(name.ptr, "pg_", 3) != 0;
}

static enum rp_err take_schema(struct rp_span name, struct rp_pg_address *out, struct rp_error *err)
{
	if (!is_schema(name))
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: schema=%.*s: lower case letters, digits and _ are allowed",
			       out->shown, (int)(name.len < 80 ? name.len : 80), name.ptr);
	memcpy(out->schema, name.ptr, name.len);
	out->schema[name.len] = '\0';
	return RP_OK;
}

static enum rp_err take_pooler(struct rp_span value, struct rp_pg_address *out,
			       struct rp_error *err)
{
	out->pooled = true;
	if (!rp_span_is(value, "session"))
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: the pooler must be in session mode (pooler=session): locks and "
			       "prepared statements belong to a session",
			       out->shown);
	return RP_OK;
}

static enum rp_err take_durability(struct rp_span value, struct rp_pg_address *out,
				   struct rp_error *err)
{
	out->standby = rp_span_is(value, "standby");
	if (!out->standby && !rp_span_is(value, "local"))
		return rp_fail(err, RP_ERR_INVAL, "%s: durability is local or standby", out->shown);
	return RP_OK;
}

static enum rp_err take_password(struct rp_span value, struct rp_pg_address *out,
				 struct rp_error *err)
{
	out->has_password = value.len > 0;
	if (!decode(value, out->password, sizeof out->password))
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: the password is too long, or has a %% that is not the "
			       "beginning of %%HH: write %% itself as %%25",
			       out->shown);
	return RP_OK;
}

static enum rp_err check_session(struct rp_span value, const struct rp_pg_address *out,
				 struct rp_error *err)
{
	if (rp_span_is(value, "read-write") || rp_span_is(value, "primary") ||
	    rp_span_is(value, "any"))
		return RP_OK;
	return rp_fail(err, RP_ERR_INVAL,
		       "%s: target_session_attrs must be read-write, primary or any: an outbox is "
		       "written",
		       out->shown);
}

static enum rp_err take_timeout(struct rp_span value, struct rp_pg_address *out,
				struct rp_error *err)
{
	char digits[8];
	char *end = NULL;
	long seconds;

	if (!decode(value, digits, sizeof digits) || digits[0] == '\0' ||
	    (seconds = strtol(digits, &end, 10)) < 0 || *end != '\0' || seconds > 3600)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s: connect_timeout is a number of seconds, 3600 at most",
			       out->shown);
	if (seconds > 0)
		out->connect_ms = (int)seconds * 1000;
	return RP_OK;
}

struct lists {
	bool has_host, has_port, has_address;
	struct rp_span host, port;
};

/* *ours: libpq is not to see it. */
static enum rp_err take_parameter(struct rp_span name, struct rp_span value,
				  struct rp_pg_address *out, struct lists *lists, bool *ours,
				  struct rp_error *err)
{
	*ours = rp_span_is(name, "schema") || rp_span_is(name, "pooler") ||
		rp_span_is(name, "durability") || rp_span_is(name, "password");
	if (rp_span_is(name, "schema"))
		return take_schema(value, out, err);
	if (rp_span_is(name, "pooler"))
		return take_pooler(value, out, err);
	if (rp_span_is(name, "durability"))
		return take_durability(value, out, err);
	if (rp_span_is(name, "password"))
		return take_password(value, out, err);
	if (rp_span_is(name, "target_session_attrs"))
		return check_session(value, out, err);
	if (rp_span_is(name, "connect_timeout"))
		return take_timeout(value, out, err);
	if (rp_span_is(name, "host")) {
		lists->has_host = true;
		lists->host = value;
	}
	if (rp_span_is(name, "port")) {
		lists->has_port = true;
		lists->port = value;
	}
	lists->has_address = lists->has_address || rp_span_is(name, "hostaddr");
	return RP_OK;
}

static enum rp_err take_parameters(struct rp_span rest, struct rp_pg_address *out,
				   struct lists *lists, struct rp_error *err)
{
	enum rp_err e = RP_OK;
	bool first = true;

	while (e == RP_OK && rest.len > 0) {
		const char *end = memchr(rest.ptr, '&', rest.len), *equals;
		struct rp_span p = {rest.ptr, end != NULL ? (size_t)(end - rest.ptr) : rest.len};
		struct rp_span name = p, value = {NULL, 0};
		bool ours;

		rest.ptr += p.len + (end != NULL);
		rest.len -= p.len + (end != NULL);
		equals = p.len > 0 ? memchr(p.ptr, '=', p.len) : NULL;
		if (equals == NULL)
			return rp_fail(err, RP_ERR_INVAL, "%s: a parameter has no =", out->shown);
		name.len = (size_t)(equals - p.ptr);
		value = (struct rp_span){equals + 1, p.len - name.len - 1};
		e = take_parameter(name, value, out, lists, &ours, err);
		if (ours)
			continue;
		append(out->conninfo, (struct rp_span){first ? "?" : "&", 1});
		append(out->conninfo, p);
		first = false;
	}
	return e;
}

static enum rp_err take_lists(const struct lists *lists, struct rp_pg_address *out,
			      struct rp_error *err)
{
	char decoded[RP_PG_ADDRESS_MAX];
	size_t i;

	if (lists->has_host) {
		struct rp_span rest;

		if (!decode(lists->host, decoded, sizeof decoded))
			return rp_fail(err, RP_ERR_INVAL, "%s: host= cannot be read", out->shown);
		rest = rp_span_of(decoded);
		out->n_hosts = 0;
		while (rest.len > 0 && out->n_hosts < RP_PG_HOSTS_MAX) {
			struct rp_pg_host *h = &out->hosts[out->n_hosts++];

			*h = (struct rp_pg_host){.port = ""};
			snprintf(h->name, sizeof h->name, "%.*s", (int)strcspn(rest.ptr, ","),
				 rest.ptr);
			next_of_list(&rest);
		}
	}
	if (lists->has_port && out->n_hosts > 1 && !take_ports(lists->port, out))
		return rp_fail(err, RP_ERR_INVAL, "%s: port= does not fit the hosts", out->shown);
	/* hostaddr has a list of its own, and one host is libpq's to find */
	if (out->n_hosts < 2 || lists->has_address)
		out->n_hosts = 0;
	for (i = 0; i < out->n_hosts; i++)
		if (out->hosts[i].port[0] == '\0')
			memcpy(out->hosts[i].port, "5432", 5);
	return RP_OK;
}

enum rp_err rp_pg_address_parse(const char *text, struct rp_pg_address *out, struct rp_error *err)
{
	struct lists lists = {.has_host = false};
	struct parts parts;
	enum rp_err e;

	*out = (struct rp_pg_address){.schema = "runpost", .connect_ms = RP_PG_CONNECT_MS};
	if (scheme_length(text) == 0 || strlen(text) >= RP_PG_ADDRESS_MAX)
		return rp_fail(err, RP_ERR_INVAL,
			       scheme_length(text) == 0
				   ? "the address of a database begins with postgresql://"
				   : "the address of the database is too long");
	parts = cut(text);
	/* libpq takes the first @ for the end of the password, and would name the rest as a host */
	if (memchr(parts.hosts.ptr, '@', parts.hosts.len) != NULL ||
	    memchr(parts.database.ptr, '@', parts.database.len) != NULL)
		return rp_fail(err, RP_ERR_INVAL,
			       "the address of the database has an @ too many; in a user or "
			       "password write @ as %%40, / as %%2F");
	e = take_hosts(parts.hosts, out, err);
	if (e != RP_OK)
		return e;
	show(&parts, out->shown);
	append(out->conninfo, rp_span_of(out->shown));
	e = take_password(parts.password, out, err);
	if (e == RP_OK)
		e = take_parameters(parts.parameters, out, &lists, err);
	return e == RP_OK ? take_lists(&lists, out, err) : e;
}
