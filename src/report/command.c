/* command.c - builds commands for people to paste. Each is complete and quoted here, so no verb
 * can print one that does something else. */

#include "report/command.h"

#include <stdlib.h>
#include <string.h>

#include "config/database_url.h"
#include "report/selector.h"

/* --- where -------------------------------------------------------------------------------- */

bool rp_place_init(struct rp_place *p, const char *outbox, const char *config)
{
	memset(p, 0, sizeof *p);
	if (outbox != NULL)
		p->outbox = rp_database_url_is(outbox) ? strdup(outbox) : rp_path_absolute(outbox);
	if (config != NULL)
		p->config = rp_path_absolute(config);
	return (outbox == NULL || p->outbox != NULL) && (config == NULL || p->config != NULL);
}

static bool same_dir(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	bool same = x != NULL && y != NULL ? strcmp(x, y) == 0 : strcmp(a, b) == 0;

	free(x);
	free(y);
	return same;
}

void rp_place_judge(struct rp_place *p, const char *config_path, const char *its_outbox,
		    const char *outbox)
{
	p->senders_known =
	    p->config != NULL || (config_path != NULL && same_dir(its_outbox, outbox));
}

void rp_place_release(struct rp_place *p)
{
	free(p->outbox);
	free(p->config);
	memset(p, 0, sizeof *p);
}

/* --- words -------------------------------------------------------------------------------- */

static bool add_option(struct rp_buf *out, const char *option, const char *value)
{
	return value == NULL || (rp_buf_printf(out, " %s ", option) && rp_shell_quote(value, out));
}

static bool takes_outbox(const char *words)
{
	return strncmp(words, "runpost check-config", strlen("runpost check-config")) != 0;
}

bool rp_command_add(struct rp_buf *out, const struct rp_place *p, const char *words)
{
	return rp_buf_add_text(out, words) &&
	       add_option(out, "--outbox", takes_outbox(words) ? p->outbox : NULL) &&
	       add_option(out, "--config", p->config);
}

bool rp_command_add_on(struct rp_buf *out, const struct rp_place *p, const char *words,
		       const char *arg)
{
	struct rp_buf all = {0};
	bool ok = rp_buf_printf(&all, "%s ", words) && rp_shell_quote(arg, &all) &&
		  rp_command_add(out, p, all.data);

	rp_buf_release(&all);
	return ok;
}

/* A backslash takes a character's meaning in a pattern (glob(7)). Names with it inside are not
 * read as URLs any more, since no URL has one, but as the pattern that they are. */
bool rp_endpoint_literal(struct rp_buf *out, const char *name)
{
	bool ok = true;

	if (!rp_endpoint_reads_as_pattern(name))
		return rp_buf_add_text(out, name);
	for (; ok && *name != '\0'; name++)
		ok = (strchr("*?[\\", *name) == NULL || rp_buf_add_char(out, '\\')) &&
		     rp_buf_add_char(out, *name);
	return ok;
}

bool rp_command_add_on_endpoint(struct rp_buf *out, const struct rp_place *p, const char *words,
				const char *name)
{
	struct rp_buf glob = {0};
	bool ok = rp_endpoint_literal(&glob, name) &&
		  rp_command_add_on(out, p, words, glob.data != NULL ? glob.data : "");

	rp_buf_release(&glob);
	return ok;
}

bool rp_command_add_send(struct rp_buf *out, const struct rp_place *p, bool *is_command)
{
	*is_command = p->senders_known;
	if (p->senders_known)
		return rp_command_add(out, p, "runpost send");
	return rp_buf_add_text(
	    out,
	    "start a sender with the --config that the senders of this outbox have, which was not "
	    "given here: with another one it may make dead letters");
}

bool rp_command_add_check(struct rp_buf *out, const struct rp_place *p, const char *url,
			  bool *is_command)
{
	*is_command = p->senders_known;
	if (!p->senders_known)
		return rp_buf_add_text(out,
				       "look with check-config, and the --config that the senders "
				       "of this outbox have, "
				       "which was not given here: another one has other settings");
	return url != NULL ? rp_command_add_on(out, p, "runpost check-config", url)
			   : rp_command_add(out, p, "runpost check-config");
}
