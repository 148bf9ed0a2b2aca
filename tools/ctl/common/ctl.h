/* ctl.h - what a verb of runpostctl gets and what all verbs share: messages, JSON lines, tables,
 * the endpoints. */
#ifndef RP_CTL_COMMON_CTL_H
#define RP_CTL_COMMON_CTL_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/units.h"
#include "config/settings.h"
#include "ctl/screen/table.h"
#include "report/command.h"
#include "report/endpoints.h"
#include "report/selector.h"
#include "report/statistics.h"
#include "store/outbox.h"
#include "text/escape.h"
#include "text/json.h"

/* What a verb takes besides --outbox, --config, --json, --no-color and --help. */
enum rp_accepts {
	RP_ACCEPTS_SELECTOR = 1, /* ids and filters */
	RP_ACCEPTS_NAMES = 2,    /* other words than ids */
	RP_ACCEPTS_CHANGE = 4,   /* --dry-run, --yes */
	RP_NEEDS_SELECTOR = 8,   /* refuses to run without one: it would mean every entry */
	RP_NEEDS_NAMES = 16,
	RP_ACCEPTS_TEXTFILE = 1 << 24, /* --textfile */
	RP_ACCEPTS_CHECK = 1 << 25,    /* --check */
	RP_OPENS_ITSELF = 1 << 27,     /* reads the configuration and opens the outbox itself */
	RP_ACCEPTS_FOLLOW = 1 << 16,   /* -f, --follow */
	RP_ACCEPTS_IMPORT = 1 << 17,   /* filters without ids, --dry-run, --hold */
	RP_ACCEPTS_EXPORT = 1 << 18,   /* --with-secrets */
	RP_ACCEPTS_BACKUP = 1 << 19,   /* --max-growth */
	RP_ACCEPTS_FULL = 1 << 21,     /* --full */
	RP_ACCEPTS_PATHS = 1 << 22,    /* --paths */
	RP_NEEDS_NOTHING = 1 << 20,    /* neither a configuration nor an outbox is opened */
	RP_ACCEPTS_JOB = 64,           /* --plan, --rate */
	RP_ACCEPTS_DETACH = 128,
	RP_ACCEPTS_PURGE = 256, /* --backup, --no-backup */
	RP_ACCEPTS_REASON = 512,
};

struct rp_ctl;

struct rp_verb {
	const char *name, *args;
	const char *line; /* one line of help */
	const char *help; /* paragraphs and examples */
	unsigned accepts;
	int (*run)(struct rp_ctl *ctl); /* result: exit code */
};

struct rp_ctl {
	const struct rp_verb *verb;
	const char *outbox_dir, *config_path;
	const char *textfile; /* of metrics; NULL: standard output */
	const char *check;    /* format of doctor; NULL: for people */
	bool json, no_color, yes, dry_run, follow, hold, with_secrets, full, paths;
	uint64_t max_growth_bytes;
	bool detach, no_backup;
	const char *reason, *backup_path; /* NULL: none */
	uint64_t plan;                    /* 0: none */
	struct rp_rate rate;              /* count 0: none */
	bool out_tty;                     /* stdout is a terminal: tables instead of TSV */
	bool ask_tty;                     /* stdin and stderr are: questions can be asked */
	bool color;
	unsigned width;
	int64_t now_at_ms;
	struct rp_selector selector;
	char **names;
	size_t n_names;
	const struct rp_settings *settings; /* the configuration; secrets are not loaded */
	struct rp_place place;              /* for commands that we print */
	struct rp_outbox *ob;
	struct rp_buf out; /* what waits to be written to stdout */
};

/* "runpostctl: ..." on stderr. */
void rp_ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says what failed; the exit code for it. */
int rp_ctl_fail(const struct rp_error *err);
int rp_ctl_no_memory(void);

/* Writes ctl->out to stdout and empties it. Result: RP_EXIT_OK or, after saying so, RP_EXIT_IO.
 * Never inside a callback of the store: the reader of a pipe may keep us waiting. */
int rp_ctl_flush(struct rp_ctl *ctl);
/* Adds the object as a line to ctl->out and frees it. false: out of memory. */
bool rp_ctl_add_json(struct rp_ctl *ctl, struct rp_json_out *object);
/* Adds the rows of the table to ctl->out and frees it. false: out of memory. */
bool rp_ctl_add_table(struct rp_ctl *ctl, struct rp_table *table);
struct rp_table *rp_ctl_table(const struct rp_ctl *ctl, const struct rp_column *columns, size_t n);

/* The endpoints of the outbox, under their names as the configuration shows them. Result: exit
 * code, after saying what went wrong. Release either way. */
int rp_ctl_load_endpoints(struct rp_ctl *ctl, struct rp_known_endpoints *out);
/* The same for the numbers of the outbox. */
int rp_ctl_read_statistics(struct rp_ctl *ctl, struct rp_statistics *out);
/* Decides what an ambiguous pattern means (endpoints.h), and says so when the pattern would have
 * fitted more. From here on names as the configuration shows them fit it, too. Result: exit
 * code. */
int rp_ctl_resolve_glob(struct rp_ctl *ctl, struct rp_endpoint_glob *g);

#endif
