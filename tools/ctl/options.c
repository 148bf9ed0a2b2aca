/* options.c - reads the command line of all verbs from one table. The help reads the
 * same table; completion scripts are held to the help by a test. */

#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "config/database_url.h"
#include "text/suggest.h"

/* What an option does to struct rp_ctl. */
enum effect { SETS_FLAG, SETS_TEXT, FILTERS, PLANS, LIMITS_RATE, LIMITS_GROWTH, HELPS };
#define FLAG(member) SETS_FLAG, offsetof(struct rp_ctl, member)
#define TEXT(member) SETS_TEXT, offsetof(struct rp_ctl, member)

/* What selects entries also selects lines of a file that is imported. */
#define FILTER (RP_ACCEPTS_SELECTOR | RP_ACCEPTS_IMPORT)

static const struct {
	const char *name, *value; /* value NULL: takes none */
	enum effect effect;
	size_t about;     /* offset of the member; FILTERS: an enum rp_selector_field */
	unsigned accepts; /* only for verbs with this bit; 0: all */
	const char *help;
} options[] = {
    {"state", "S[,S]", FILTERS, RP_SELECT_STATE, FILTER,
     "waiting, in_flight, held, delivered, dead; or retrying: waiting after a failed attempt"},
    {"endpoint", "GLOB", FILTERS, RP_SELECT_ENDPOINT, FILTER,
     "its name or URL; without a '/': its host"},
    {"run", "RUN_ID", FILTERS, RP_SELECT_RUN, FILTER, "entries of this run"},
    {"thread", "THREAD_ID", FILTERS, RP_SELECT_THREAD, FILTER,
     "entries whose run has this thread_id"},
    {"event", "STATUS", FILTERS, RP_SELECT_EVENT, FILTER,
     "entries whose run ended so: success, error, timeout, interrupted"},
    {"cause", "C", FILTERS, RP_SELECT_CAUSE, FILTER,
     "timeout, dns, http (any status), http_503, exhausted, ..."},
    {"attempts", "N", FILTERS, RP_SELECT_ATTEMPTS, FILTER,
     "attempts so far: 3, '>=5', '>5', '<=2', '<2'"},
    {"group", "G", FILTERS, RP_SELECT_GROUP, RP_ACCEPTS_SELECTOR,
     "dead letters of this group of `runpostctl dead`"},
    {"since", "T", FILTERS, RP_SELECT_SINCE, FILTER,
     "accepted at or after T: 2h (ago) or 2026-11-23T12:00:00Z"},
    {"until", "T", FILTERS, RP_SELECT_UNTIL, FILTER, "accepted before T"},
    {"older-than", "D", FILTERS, RP_SELECT_OLDER_THAN, FILTER,
     "in its state for so long: 90s, 15m, 2h, 7d"},
    {"limit", "N", FILTERS, RP_SELECT_LIMIT, RP_ACCEPTS_SELECTOR,
     "at most N entries, the oldest; 0: all"},
    {"dry-run", NULL, FLAG(dry_run), RP_ACCEPTS_CHANGE | RP_ACCEPTS_IMPORT,
     "say what would happen, change nothing"},
    {"yes", NULL, FLAG(yes), RP_ACCEPTS_CHANGE, "do not ask before a change of many entries"},
    {"follow", NULL, FLAG(follow), RP_ACCEPTS_FOLLOW, "go on with what comes; -f is the same"},
    {"textfile", "FILE", TEXT(textfile), RP_ACCEPTS_TEXTFILE,
     "write into FILE, whole or not at all, for node_exporter"},
    {"check", "FORMAT", TEXT(check), RP_ACCEPTS_CHECK, "for a monitor: nagios, json or prometheus"},
    {"hold", NULL, FLAG(hold), RP_ACCEPTS_IMPORT, "hold what would be sent, until it is released"},
    {"with-secrets", NULL, FLAG(with_secrets), RP_ACCEPTS_EXPORT,
     "with the values of URL queries and headers"},
    {"max-growth", "SIZE", LIMITS_GROWTH, 0, RP_ACCEPTS_BACKUP,
     "give up when the outbox grows by more meanwhile; 1G; 0: never"},
    {"plan", "N", PLANS, 0, RP_ACCEPTS_JOB, "exactly the entries that --dry-run showed as plan N"},
    {"rate", "N/s", LIMITS_RATE, 0, RP_ACCEPTS_JOB, "no faster than this: 50/s, 600/m, 1000/h"},
    {"detach", NULL, FLAG(detach), RP_ACCEPTS_DETACH, "leave it to the senders at once"},
    {"backup", "FILE", TEXT(backup_path), RP_ACCEPTS_PURGE,
     "where the backup goes; otherwise DIR/purged/"},
    {"no-backup", NULL, FLAG(no_backup), RP_ACCEPTS_PURGE, "write none: what is purged is gone"},
    {"reason", "TEXT", TEXT(reason), RP_ACCEPTS_REASON, "why, for the log of changes"},
    {"full", NULL, FLAG(full), RP_ACCEPTS_FULL,
     "recompute everything in one snapshot, when it is quiet"},
    {"paths", NULL, FLAG(paths), RP_ACCEPTS_PATHS, "every path, however many a host has"},
    {"outbox", "DIR", TEXT(outbox_dir), 0, "the outbox; otherwise the one the configuration names"},
    {"config", "FILE", TEXT(config_path), 0,
     "the configuration; otherwise /etc/runpost/runpost.conf if there is one"},
    {"json", NULL, FLAG(json), 0, "JSON, one object a line"},
    {"no-color", NULL, FLAG(no_color), 0, "no colours on a terminal either"},
    {"help", NULL, HELPS, 0, 0, "this text"},
};
enum { N_OPTIONS = sizeof options / sizeof options[0] };
enum { FIRST_OPTION = 1000 }; /* above all letters: what getopt has for row 0 */

static bool is_accepted(const struct rp_verb *verb, size_t i)
{
	return options[i].accepts == 0 || (verb->accepts & options[i].accepts) != 0;
}

void rp_options_help(const struct rp_verb *verb)
{
	size_t i;

	printf("usage: runpostctl %s%s%s [options]\n\n%s.\n\n%s\noptions:\n", verb->name,
	       verb->args[0] != '\0' ? " " : "", verb->args, verb->line, verb->help);
	for (i = 0; i < N_OPTIONS; i++) {
		char left[40];

		if (!is_accepted(verb, i))
			continue;
		snprintf(left, sizeof left, "--%s %s", options[i].name,
			 options[i].value != NULL ? options[i].value : "");
		printf("  %-18s %s\n", left, options[i].help);
	}
}

static int usage_error(const struct rp_ctl *ctl, const char *what, const char *near)
{
	rp_ctl_say("%s: %s%s%s%s; see `runpostctl %s --help`", ctl->verb->name, what,
		   near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
		   near != NULL ? "?" : "", ctl->verb->name);
	return RP_EXIT_USAGE;
}

/* Letters there are almost none: a word that is near to one by its letters is a guess, unless
 * other tools have it. */
static const char *suggest_for_letter(char letter, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (letter == 'n' && strcmp(names[i], "limit") == 0)
			return names[i];
	}
	return NULL;
}

static int unknown_option(const struct rp_ctl *ctl, const char *word)
{
	const char *names[N_OPTIONS];
	char what[120], name[40];
	size_t i, n = 0, len = strcspn(word, "=");

	for (i = 0; i < N_OPTIONS; i++) {
		if (is_accepted(ctl->verb, i))
			names[n++] = options[i].name;
	}
	if (word[0] == '-' && word[1] > ' ' && word[1] != '-' && word[1] < 0x7f &&
	    word[2] == '\0') {
		snprintf(what, sizeof what, "unknown option -%c", word[1]);
		return usage_error(ctl, what, suggest_for_letter(word[1], names, n));
	}
	while (*word == '-' && len > 0) {
		word++;
		len--;
	}
	snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), word);
	for (i = 0; i < n && word[len] == '='; i++) {
		if (strcmp(names[i], name) == 0) {
			snprintf(what, sizeof what, "--%s takes no value", name);
			return usage_error(ctl, what, NULL);
		}
	}
	snprintf(what, sizeof what, "unknown option --%s", name);
	return usage_error(ctl, what, rp_suggest(name, names, n));
}

static int set_plan(struct rp_ctl *ctl, const char *value)
{
	char *end;

	errno = 0;
	ctl->plan = strtoull(value, &end, 10);
	if (ctl->plan != 0 && *end == '\0' && errno == 0 && value[0] >= '0' && value[0] <= '9')
		return -1;
	return usage_error(
	    ctl, "--plan takes the number that --dry-run showed; see `runpostctl jobs`", NULL);
}

static int set_rate(struct rp_ctl *ctl, const char *value)
{
	if (rp_rate_parse(rp_span_of(value), &ctl->rate))
		return -1;
	return usage_error(
	    ctl,
	    "--rate: not a rate; give entries in a second, minute or hour: 50/s, 600/m, 1000/h",
	    NULL);
}

static int set_growth(struct rp_ctl *ctl, const char *value)
{
	if (rp_size_parse(rp_span_of(value), &ctl->max_growth_bytes))
		return -1;
	return usage_error(ctl, "--max-growth: not a size; give a number, and K, M or G behind it",
			   NULL);
}

/* Result: -1: go on; else an exit code. */
static int apply(struct rp_ctl *ctl, size_t i, const char *value)
{
	char *member = (char *)ctl + options[i].about;
	struct rp_error err;

	switch (options[i].effect) {
	case SETS_FLAG:
		*(bool *)member = true;
		return -1;
	case SETS_TEXT:
		*(const char **)member = value;
		return -1;
	case FILTERS:
		if (rp_selector_set(&ctl->selector, (enum rp_selector_field)options[i].about, value,
				    ctl->now_at_ms, &err) == RP_OK)
			return -1;
		return usage_error(ctl, err.text, NULL);
	case PLANS:
		return set_plan(ctl, value);
	case LIMITS_RATE:
		return set_rate(ctl, value);
	case LIMITS_GROWTH:
		return set_growth(ctl, value);
	case HELPS:
		break;
	}
	rp_options_help(ctl->verb);
	return RP_EXIT_OK;
}

static int read_ids_from_stdin(struct rp_ctl *ctl)
{
	char *line = NULL;
	size_t cap = 0;
	uint64_t number = 0;
	int code = -1;
	ssize_t n;

	ctl->selector.by_id = true;
	while (code == -1 && (n = getline(&line, &cap, stdin)) >= 0) {
		struct rp_error err;
		struct rp_span text;

		number++;
		text = (struct rp_span){line, (size_t)n};
		if (number == 1)
			text = rp_span_after_bom(text);
		if (rp_selector_add_line(&ctl->selector, text, &err) == RP_OK)
			continue;
		rp_ctl_say("standard input, line %llu: %s; nothing was done",
			   (unsigned long long)number, err.text);
		code = err.code == RP_ERR_INVAL ? RP_EXIT_USAGE : rp_err_exit_code(err.code);
	}
	if (code == -1 && ferror(stdin)) {
		rp_ctl_say("cannot read standard input: %s", strerror(errno));
		code = RP_EXIT_IO;
	}
	free(line);
	return code;
}

static int read_word(struct rp_ctl *ctl, char *word)
{
	struct rp_buf shown = {0};
	struct rp_error err;

	if ((ctl->verb->accepts & RP_ACCEPTS_NAMES) != 0) {
		ctl->names[ctl->n_names++] = word;
		return -1;
	}
	if ((ctl->verb->accepts & RP_ACCEPTS_SELECTOR) == 0)
		return usage_error(ctl, "it takes no words, only options", NULL);
	if (strcmp(word, "-") == 0)
		return read_ids_from_stdin(ctl);
	if (rp_selector_add_id(&ctl->selector, rp_span_of(word), &err) == RP_OK)
		return -1;
	rp_text_escape((struct rp_span){word, strcspn(word, "?")}, &shown);
	rp_ctl_say("%s: %.100s: %s", ctl->verb->name, shown.data != NULL ? shown.data : "",
		   err.text);
	rp_buf_release(&shown);
	return RP_EXIT_USAGE;
}

/* The row of -h or -f. */
static size_t row_of_letter(int letter)
{
	size_t i = 0;

	while (strcmp(options[i].name, letter == 'h' ? "help" : "follow") != 0)
		i++;
	return i;
}

static int read_options(struct rp_ctl *ctl, int argc, char **argv)
{
	struct option table[N_OPTIONS + 1] = {{0}};
	const char *letters;
	size_t i, n = 0;
	int got, code = -1;

	for (i = 0; i < N_OPTIONS; i++) {
		if (is_accepted(ctl->verb, i))
			table[n++] = (struct option){options[i].name, options[i].value != NULL,
						     NULL, FIRST_OPTION + (int)i};
	}
	opterr = 0;
	letters = (ctl->verb->accepts & RP_ACCEPTS_FOLLOW) != 0 ? ":hf" : ":h";
	while (code == -1 && (got = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		if (got == ':') {
			char what[80];

			snprintf(what, sizeof what, "%.40s needs a value", argv[optind - 1]);
			code = usage_error(ctl, what, NULL);
		} else if (got == '?') {
			code = unknown_option(ctl, argv[optind - 1]);
		} else {
			code = apply(ctl,
				     got < FIRST_OPTION ? row_of_letter(got)
							: (size_t)(got - FIRST_OPTION),
				     optarg);
		}
	}
	return code;
}

int rp_options_read(struct rp_ctl *ctl, int argc, char **argv)
{
	unsigned accepts = ctl->verb->accepts;
	int code = read_options(ctl, argc, argv);

	if (code == -1 && ctl->outbox_dir != NULL && rp_database_url_is(ctl->outbox_dir) &&
	    rp_database_url_has_password(ctl->outbox_dir))
		code = usage_error(ctl, "--outbox: " RP_DATABASE_URL_PASSWORD, NULL);
	if (code != -1)
		return code;
	ctl->names = argv + optind;
	for (; code == -1 && optind < argc; optind++)
		code = read_word(ctl, argv[optind]);
	if (code != -1)
		return code;
	if ((accepts & RP_NEEDS_NAMES) != 0 && ctl->n_names == 0)
		return usage_error(
		    ctl,
		    (accepts & RP_NEEDS_NOTHING) != 0    ? "name the shell: bash, zsh or fish"
		    : (accepts & RP_ACCEPTS_IMPORT) != 0 ? "name a file, or - for standard input"
		    : (accepts & RP_ACCEPTS_BACKUP) != 0
			? "name the directory to be made"
			: "name the endpoints, or give a glob ('*' for all)",
		    NULL);
	if (ctl->plan != 0 &&
	    (ctl->dry_run || ctl->selector.has_limit || !rp_selector_is_empty(&ctl->selector)))
		return usage_error(
		    ctl,
		    "a plan has its entries already: no ids, filters or --dry-run beside --plan",
		    NULL);
	if (ctl->rate.count != 0 && ctl->plan == 0 && (accepts & RP_ACCEPTS_DETACH) == 0)
		return usage_error(
		    ctl, "--rate is for a plan: make one with --dry-run, then --plan N --rate ...",
		    NULL);
	if (ctl->backup_path != NULL && ctl->no_backup)
		return usage_error(ctl, "--backup and --no-backup contradict each other", NULL);
	if ((accepts & RP_NEEDS_SELECTOR) != 0 && ctl->plan == 0 &&
	    rp_selector_is_empty(&ctl->selector))
		return usage_error(
		    ctl, "say which entries: ids, - to read ids, or filters such as --state dead",
		    NULL);
	return -1;
}
