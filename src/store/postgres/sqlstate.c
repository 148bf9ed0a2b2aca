/* sqlstate.c - error codes of PostgreSQL (its appendix A) and what they mean here. */
#include "store/postgres/sqlstate.h"

struct meaning {
	const char *begins;
	enum rp_err code;
};

/* The first that fits. */
static enum rp_err look_up(const struct meaning *all, size_t n, const char *state,
			   enum rp_err otherwise)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(state, all[i].begins, strlen(all[i].begins)) == 0)
			return all[i].code;
	return otherwise;
}

enum rp_err rp_pg_code_of_state(const char *state)
{
	static const struct meaning meanings[] = {
	    {"53100", RP_ERR_FULL},   /* its disk is full */
	    {"53", RP_ERR_AWAY},      /* it is short of memory or connections */
	    {"42501", RP_ERR_DENIED}, /* no right */
	    {"28", RP_ERR_DENIED},    /* the role or its password */
	    {"42P01", RP_ERR_FORMAT}, /* no such table, */
	    {"42703", RP_ERR_FORMAT}, /* column, */
	    {"42883", RP_ERR_FORMAT}, /* function, */
	    {"3F", RP_ERR_FORMAT},    /* schema */
	    {"57P", RP_ERR_AWAY},     /* it shuts down, starts, or was told to end the session */
	    {"57014", RP_ERR_AWAY},   /* it took too long, or somebody cancelled it */
	    {"55P03", RP_ERR_AWAY},   /* a lock was not to be had */
	    {"40", RP_ERR_AWAY},      /* rolled back: a deadlock, a conflict */
	    {"25006", RP_ERR_AWAY},   /* it has become a standby */
	    {"25P03", RP_ERR_AWAY},   /* the transaction stood still for too long */
	    {"08", RP_ERR_AWAY},      /* the connection */
	    {"0A000", RP_ERR_AWAY},   /* a table was changed under a prepared statement */
	};

	return look_up(meanings, sizeof meanings / sizeof meanings[0], state, RP_ERR_IO);
}

bool rp_pg_state_ends_session(const char *state)
{
	static const struct meaning ends[] = {
	    {"57P01", RP_ERR_AWAY}, {"57P02", RP_ERR_AWAY}, {"57P03", RP_ERR_AWAY},
	    {"57P04", RP_ERR_AWAY}, {"57P05", RP_ERR_AWAY}, {"25006", RP_ERR_AWAY},
	    {"25P03", RP_ERR_AWAY}, {"08", RP_ERR_AWAY},    {"0A000", RP_ERR_AWAY},
	    {"26000", RP_ERR_AWAY}, /* what was prepared is not there */
	    {"42P05", RP_ERR_AWAY}, /* or somebody else has prepared it: a pooler */
	};

	return look_up(ends, sizeof ends / sizeof ends[0], state, RP_OK) != RP_OK;
}

/* --- refusals ---------------------------------------------------------------------------- */

static bool is_state(const char *p)
{
	int i;

	for (i = 0; i < 5; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'A' && p[i] <= 'Z')))
			return false;
	return p[5] == ':' && p[6] == ' ';
}

struct rp_pg_refusal rp_pg_refusal_read(const char *message)
{
	struct rp_pg_refusal r = {.before = {message, strcspn(message, "\n")}};
	const char *line = message, *p;

	for (; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, "\n");

		for (p = line; (size_t)(p - line) + 3 < len; p++) {
			if (memcmp(p, ":  ", 3) != 0 || !is_state(p + 3))
				continue;
			memcpy(r.state, p + 3, 5);
			r.before = (struct rp_span){line, (size_t)(p - line) + 2};
			r.after = (struct rp_span){p + 10, len - (size_t)(p + 10 - line)};
			return r;
		}
	}
	return r;
}

static bool has(struct rp_span text, const char *word)
{
	return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* libpq's own words are English, since no program of ours sets a locale. What begins otherwise than
 * with these two was found before anything was connected to. */
static enum rp_err code_of_words(struct rp_span text)
{
	static const char *const policies[] = {"certificate verify failed", "does not support SSL",
					       "root certificate file", "server certificate for",
					       "no password supplied"};
	size_t i;

	if (!has(text, "connection to server") && !has(text, "could not translate host name") &&
	    !has(text, "server closed the connection"))
		return RP_ERR_INVAL;
	for (i = 0; i < sizeof policies / sizeof policies[0]; i++)
		if (has(text, policies[i]))
			return RP_ERR_DENIED;
	return RP_ERR_AWAY;
}

enum rp_err rp_pg_refusal_code(const struct rp_pg_refusal *refusal)
{
	static const struct meaning meanings[] = {
	    {"3D000", RP_ERR_NOTFOUND}, /* no such database */
	    {"42704", RP_ERR_INVAL},    /* options= sets what is none, */
	    {"22", RP_ERR_INVAL},       /* or to what it cannot be */
	    {"0A000", RP_ERR_FORMAT},   /* its protocol is another one */
	};

	if (refusal->state[0] == '\0')
		return code_of_words(refusal->before);
	return look_up(meanings, sizeof meanings / sizeof meanings[0], refusal->state,
		       rp_pg_code_of_state(refusal->state));
}
