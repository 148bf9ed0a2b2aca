/* command.h - commands that we print for people to paste. Pasted into a POSIX shell, in any
 * directory, such a command does what its line says, and no more: it carries the --outbox and
 * --config that this program was given, as absolute paths, it is quoted, and the name of an
 * endpoint means this one only, whatever characters others put into it. */
#ifndef RP_REPORT_COMMAND_H
#define RP_REPORT_COMMAND_H

#include <stdbool.h>

#include "base/file.h"
#include "text/shell.h"

/* How this program was told where to look. */
struct rp_place {
	/* absolute; NULL: not given, so a pasted command finds it as we did */
	char *outbox, *config;
	/* the configuration we read is, as far as can be told, the one the senders have */
	bool senders_known;
};

/* Makes the paths absolute. NULL: not given. false: out of memory, or the working directory is
 * gone. Release either way. */
bool rp_place_init(struct rp_place *p, const char *outbox, const char *config);
/* Whether a sender that is started with the same words would have its own configuration: it was
 * named with --config, or the default file exists and is about this outbox. config_path: the file
 * that was read, NULL: none; its_outbox: the directory that it names, outbox: the one that was
 * opened. */
void rp_place_judge(struct rp_place *p, const char *config_path, const char *its_outbox,
		    const char *outbox);
void rp_place_release(struct rp_place *p);

/* Appends a pattern of glob(7) that fits the name of an endpoint and nothing else. false: out of
 * memory. */
bool rp_endpoint_literal(struct rp_buf *out, const char *name);

/* All append to out; false: out of memory. `words` are the program, the verb and what else needs
 * no quoting, such as "runpostctl jobs resume 5"; only programs that take --outbox get it. `arg`
 * becomes one word. */
bool rp_command_add(struct rp_buf *out, const struct rp_place *p, const char *words);
bool rp_command_add_on(struct rp_buf *out, const struct rp_place *p, const char *words,
		       const char *arg);
/* `name`, that of an endpoint, means this one only. */
bool rp_command_add_on_endpoint(struct rp_buf *out, const struct rp_place *p, const char *words,
				const char *name);
/* How to get a sender. Where its configuration is not known there is no command, but a sentence
 * that says so: with another one it would make dead letters of what it may not send, http:// URLs
 * for example. *is_command tells which. */
bool rp_command_add_send(struct rp_buf *out, const struct rp_place *p, bool *is_command);

/* How to look at the settings of an endpoint (NULL: at all of them). The same: other settings
 * would be looked at. */
bool rp_command_add_check(struct rp_buf *out, const struct rp_place *p, const char *url,
			  bool *is_command);

#endif
