/* main.c - the program `runpostctl`. It finds the verb, opens the outbox as the verb's row says,
 * and turns errors into remedies. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "ctl/verbs/verbs.h"
#include "ctl/options.h"
#include "text/suggest.h"
#include "config/settings.h"

#define SELECTOR "ID... | - | FILTER..."
#define SELECTOR_OR_PLAN SELECTOR " | --plan N"
#define ON_SELECTORS                                                                               \
	"Which entries: ids, - for ids on standard input (one a line; JSON lines and the\n"        \
	"lines of `runpostctl list` do as well), or filters, which must all hold.\n"

static const struct rp_verb verbs[] = {
    {"stats", "", "Show what the outbox holds, who works on it, and what is wrong",
     "Counts of entries by state, senders alive, endpoints in trouble, storage.\n\n"
     "examples:\n  runpostctl stats\n  runpostctl stats --json | jq .entries.dead\n",
     0, rp_verb_stats},
    {"shape", "[" SELECTOR "]", "Show whose backlog it is: entries by endpoint and age",
     ON_SELECTORS
     "One row for each endpoint, the longest backlog first; ages count from acceptance. Without\n"
     "--state it is about waiting entries.\n\n"
     "examples:\n  runpostctl shape\n  runpostctl shape --state dead --endpoint '*.example.com'\n",
     RP_ACCEPTS_SELECTOR, rp_verb_shape},
    {"list", "[" SELECTOR "]", "List entries, oldest first",
     ON_SELECTORS
     "On a terminal the first 50 are shown unless --limit says otherwise. With one --state\n"
     "those longest in it come first; waiting ones by endpoint, the next due first, or by "
     "acceptance\n"
     "where a filter leaves few of many.\n\n"
     "examples:\n  runpostctl list --state retrying --endpoint hooks.example.com\n"
     "  runpostctl list --state dead --cause http_503 --json | jq -r .id\n",
     RP_ACCEPTS_SELECTOR, rp_verb_list},
    {"show", SELECTOR, "Show entries with their attempts",
     ON_SELECTORS "\nexamples:\n  runpostctl show msg_000000000G1CY55NDPRXZQ0S4M\n"
		  "  runpostctl show --run ecc2c787-4fe7-4943-be2e-5d4a39e8e909 --json\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR, rp_verb_show},
    {"explain", SELECTOR,
     "Say why entries are where they are, what holds them up and what comes next",
     ON_SELECTORS "In sentences: why, what happened, what is blocking and the command that changes "
		  "it, and every\n"
		  "attempt to come until it is dead, by the policy of the configuration.\n\n"
		  "examples:\n  runpostctl explain msg_000000000G1CY55NDPRXZQ0S4M\n"
		  "  runpostctl list --state retrying --limit 3 | runpostctl explain -\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR, rp_verb_explain},
    {"body", SELECTOR, "Print payloads, byte for byte",
     ON_SELECTORS "Several payloads follow each other with nothing between them.\n\n"
		  "examples:\n  runpostctl body msg_000000000G1CY55NDPRXZQ0S4M | jq .status\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR, rp_verb_body},
    {"tail", "[" SELECTOR "]", "Show the last attempts, and with -f those that come",
     ON_SELECTORS
     "They are applied to the entries of the attempts; --cause and --limit are about the attempts\n"
     "themselves. The last 10 are shown unless --limit says otherwise. Some 4096 commits are\n"
     "remembered, of up to 64 attempts each.\n\n"
     "examples:\n  runpostctl tail -f\n  runpostctl tail -f --endpoint hooks.example.com --cause "
     "timeout\n"
     "  runpostctl tail --limit 0 --json | jq -r 'select(.duration_ms > 5000) | .id'\n",
     RP_ACCEPTS_SELECTOR | RP_ACCEPTS_FOLLOW, rp_verb_tail},
    {"top", "", "Watch endpoints, senders and failures on the whole screen",
     "Refreshed each second. Keys: j/k move, enter looks at an endpoint, / filters, p pauses or "
     "resumes it,\n"
     "R replays its dead letters, ? explains, q quits. What changes something asks first.\n\n"
     "examples:\n  runpostctl top\n  NO_COLOR=1 runpostctl top\n",
     0, rp_verb_top},
    {"replay", SELECTOR_OR_PLAN, "Make entries due now, with a fresh retry budget and the same id",
     ON_SELECTORS
     "With filters and without --state it is about dead entries only.\n\n"
     "A replay is a job in the outbox. This command watches it; senders carry it on when it is\n"
     "interrupted or killed. Entries of one endpoint go into its queue a few hundred at a time, "
     "so\n"
     "that live ones do not wait for long. See jobs.\n\n"
     "examples:\n  runpostctl replay --cause http_503 --since 2d --dry-run\n"
     "  runpostctl replay --state dead --endpoint hooks.example.com --rate 50/s --reason 'cert "
     "renewed'\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR | RP_ACCEPTS_CHANGE | RP_ACCEPTS_JOB |
	 RP_ACCEPTS_DETACH | RP_ACCEPTS_REASON,
     rp_verb_replay},
    {"purge", SELECTOR_OR_PLAN, "Remove entries for good",
     ON_SELECTORS
     "Without --state it is about entries in any state. An attempt that is under way is not\n"
     "called back; how many there may be is reported. --dry-run stores what it shows as a plan, "
     "which\n"
     "holds for an hour: --plan takes those entries of it that have not changed since. A backup "
     "of\n"
     "what was not delivered is written first, with secrets; `runpostctl import` brings it back.\n"
     "--backup FILE takes delivered entries, too.\n\n"
     "examples:\n  runpostctl purge --state dead --cause gone --older-than 7d --dry-run\n"
     "  runpostctl purge --plan 7 --reason 'receiver is gone'\n"
     "  runpostctl list --state dead --json | jq -r .id | head | runpostctl purge -\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR | RP_ACCEPTS_CHANGE | RP_ACCEPTS_JOB |
	 RP_ACCEPTS_PURGE | RP_ACCEPTS_REASON,
     rp_verb_purge},
    {"hold", SELECTOR, "Keep back waiting entries until they are released",
     ON_SELECTORS "\nexamples:\n  runpostctl hold --endpoint 'https://hooks.example.com/billing'\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR | RP_ACCEPTS_CHANGE | RP_ACCEPTS_REASON, rp_verb_hold},
    {"release", SELECTOR, "Let held entries wait for a sender again",
     ON_SELECTORS "\nexamples:\n  runpostctl release --state held --yes\n",
     RP_ACCEPTS_SELECTOR | RP_NEEDS_SELECTOR | RP_ACCEPTS_CHANGE | RP_ACCEPTS_REASON,
     rp_verb_release},
    {"jobs", "[list | show N | pause N | resume N | cancel N]",
     "Show replays and plans, and steer them",
     "DONE and SKIP count entries; what was skipped was in flight, had moved on, was gone, or is "
     "in a\n"
     "state the verb does not apply to. Cancelling leaves done what is done.\n\n"
     "examples:\n  runpostctl jobs\n  runpostctl jobs pause 7\n  runpostctl jobs show 7 --json | "
     "jq .left\n",
     RP_ACCEPTS_NAMES | RP_ACCEPTS_REASON, rp_verb_jobs},
    {"audit", "", "Show who changed what, when and why",
     "Replays, purges, holds, releases, pauses, resumes, imports, backups and exports with secrets "
     "by\n"
     "operators; the last 4096.\n\n"
     "examples:\n  runpostctl audit\n  runpostctl audit --json | jq -r 'select(.verb == "
     "\"purge\").reason'\n",
     0, rp_verb_audit},
    {"dead", "[" SELECTOR "]", "Show the dead letters, grouped by what they died of",
     ON_SELECTORS "One row for each cause, last answer and endpoint, with what to do about it. "
		  "Each group has a\n"
		  "key that --group takes, so that one command shows, replays or purges it.\n\n"
		  "examples:\n  runpostctl dead\n  runpostctl dead --since 1d --json\n"
		  "  runpostctl replay --group exhausted:http_503:3\n",
     RP_ACCEPTS_SELECTOR, rp_verb_dead},
    {"endpoints", "[NAME | GLOB]...", "Show the endpoints and how they do",
     "A line for each host, for each section that shares its limits, and for the paths of hosts\n"
     "that have few. A host with a single path is shown as that path. Of other hosts PATHS says "
     "how\n"
     "many there are: --paths, or the name of the host, shows them. HELD_BY is the level that "
     "lets\n"
     "nothing go at the moment: path, section or host.\n\n"
     "STATE is ok, failing (its last attempts failed), parked (so many failed that it gets single "
     "probes\n"
     "only), no_key (no signing key of it is valid), paused (by an operator) or disabled (it "
     "answered 410 "
     "Gone).\n\nexamples:\n  runpostctl endpoints\n  runpostctl endpoints '*.example.com' --json\n"
     "  runpostctl endpoints https://hooks.example.com\n",
     RP_ACCEPTS_NAMES | RP_ACCEPTS_PATHS, rp_verb_endpoints},
    {"pause", "NAME | GLOB...", "Stop sending to endpoints; their entries wait",
     "An endpoint is named as `runpostctl endpoints` shows it, by a URL of it, or by a glob; a\n"
     "glob without a '/' is compared with the host. A name that reads as a glob means itself; with "
     "a\n"
     "backslash in front it is the glob. The name of a host, https://hooks.example.com without a\n"
     "path, pauses the host itself: paths that come later wait as well. Waiting costs no "
     "retries.\n\n"
     "examples:\n  runpostctl pause hooks.example.com\n",
     RP_ACCEPTS_NAMES | RP_NEEDS_NAMES | RP_ACCEPTS_REASON, rp_verb_pause},
    {"resume", "NAME | GLOB...", "Send to endpoints again, also after a 410",
     "Named as for pause. What died in the meantime is not replayed by this: see replay.\n\n"
     "examples:\n  runpostctl resume hooks.example.com\n",
     RP_ACCEPTS_NAMES | RP_NEEDS_NAMES | RP_ACCEPTS_REASON, rp_verb_resume},
    {"metrics", "", "Print counters for Prometheus",
     "Text format 0.0.4. Labels are names of the configuration: no ids, no URLs. Costs the same "
     "whatever\n"
     "the outbox holds.\n\nexamples:\n  runpostctl metrics\n"
     "  runpostctl metrics --textfile /var/lib/prometheus/node-exporter/runpost.prom\n",
     RP_ACCEPTS_TEXTFILE, rp_verb_metrics},
    {"doctor", "", "Check store, senders, clock, disk, configuration and permissions",
     "A line for each check, ok, warn or fail, with what to do about it. Changes nothing. Exit "
     "status, as of a\n"
     "monitoring plugin: 0 all is well, 1 warnings, 2 failures.\n\nexamples:\n  runpostctl doctor\n"
     "  runpostctl doctor --check nagios\n",
     RP_ACCEPTS_CHECK | RP_OPENS_ITSELF, rp_verb_doctor},
    {"export", "[" SELECTOR "]", "Print entries as lines that import can bring back",
     ON_SELECTORS
     "Values of URL queries and of headers are secrets: without --with-secrets they are REDACTED, "
     "and\n"
     "the payload, which repeats the URL, is left out; such a line cannot be imported. Entries "
     "that\n"
     "have no secrets are complete either way.\n\n"
     "examples:\n  (umask 077; runpostctl export --state dead --with-secrets > dead.ndjson)\n"
     "  runpostctl export --since 1d | jq -r .endpoint | sort | uniq -c\n",
     RP_ACCEPTS_SELECTOR | RP_ACCEPTS_EXPORT | RP_ACCEPTS_REASON, rp_verb_export},
    {"import", "FILE | -", "Bring exported entries back, or over from another outbox",
     "Ids, payloads, times, states and counts are kept. An entry whose id is there already is left "
     "alone, and\n"
     "so is one whose dedupe key another entry has. A line that is wrong is named and does not "
     "stop the\n"
     "others; filters pick some of the lines.\n\n"
     "examples:\n  runpostctl import --dry-run dead.ndjson\n  runpostctl import --hold --endpoint "
     "hooks.example.com "
     "dead.ndjson\n"
     "  ssh old runpostctl export --with-secrets | runpostctl import -\n",
     RP_ACCEPTS_NAMES | RP_NEEDS_NAMES | RP_ACCEPTS_IMPORT | RP_ACCEPTS_REASON, rp_verb_import},
    {"backup", "DIR", "Copy the outbox into a new directory, consistent and compact",
     "Senders and ingest go on meanwhile; the outbox's file grows by what they write. The copy is "
     "an outbox:\n"
     "to restore it, put the directory where the outbox was. What was delivered since will be sent "
     "again.\n\n"
     "examples:\n  runpostctl backup /var/backups/runpost-$(date +%F)\n",
     RP_ACCEPTS_NAMES | RP_NEEDS_NAMES | RP_ACCEPTS_BACKUP | RP_ACCEPTS_REASON, rp_verb_backup},
    {"verify", "", "Check everything the outbox can know about itself",
     "Checksums, payload hashes, indexes, counters. Changes nothing. Works in short slices, so "
     "that senders and\n"
     "ingest go on meanwhile; --full also counts every counter anew, in one snapshot that keeps "
     "pages from being\n"
     "used again until it ends.\nExit status 0: sound, 65: damage.\n\n"
     "examples:\n  runpostctl verify && echo sound\n  runpostctl verify --full --json | tail -n "
     "1\n",
     RP_ACCEPTS_FULL, rp_verb_verify},
    {"completion", "bash | zsh | fish",
     "Print a script that lets a shell complete verbs, options and endpoints",
     "Endpoints and jobs are asked for with `runpostctl endpoints` and `runpostctl jobs`, with the "
     "--outbox and\n"
     "--config of the line.\n\n"
     "examples:\n  source <(runpostctl completion bash)\n"
     "  runpostctl completion zsh > ~/.zfunc/_runpostctl\n"
     "  runpostctl completion fish > ~/.config/fish/completions/runpostctl.fish\n",
     RP_ACCEPTS_NAMES | RP_NEEDS_NAMES | RP_NEEDS_NOTHING, rp_verb_completion},
};
enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

static void print_usage(FILE *to)
{
	size_t i;

	fputs("usage: runpostctl VERB [options]\n\nLooks into an outbox of runpost and changes "
	      "what is in it.\n\n",
	      to);
	for (i = 0; i < N_VERBS; i++)
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].line);
	fputs("\n`runpostctl VERB --help` tells more about each; --version shows the version.\n",
	      to);
}

static const struct rp_verb *find_verb(const char *name)
{
	const char *names[N_VERBS];
	const char *near;
	size_t i;

	for (i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	if (name[0] == '-') {
		rp_ctl_say(
		    "%.40s: a verb comes first, its options behind it; see `runpostctl --help`",
		    name);
		return NULL;
	}
	near = rp_suggest(name, names, N_VERBS);
	rp_ctl_say("%.40s: no such verb%s%s%s; see `runpostctl --help`", name,
		   near != NULL ? "; did you mean " : "", near != NULL ? near : "",
		   near != NULL ? "?" : "");
	return NULL;
}

static void look_at_terminal(struct rp_ctl *ctl)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct winsize size;

	ctl->out_tty = isatty(STDOUT_FILENO);
	ctl->ask_tty = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	ctl->color = ctl->out_tty && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
		     strcmp(term, "dumb") != 0;
	ctl->width = 100;
	if (ctl->out_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		ctl->width = size.ws_col;
}

static int open_outbox(struct rp_ctl *ctl, const struct rp_config *config)
{
	const char *dir = ctl->outbox_dir != NULL ? ctl->outbox_dir : rp_config_outbox(config);
	struct rp_outbox_options options = {.map_bytes = config->map_bytes,
					    .quota_bytes = config->quota_bytes,
					    .disk_reserve_bytes = config->disk_reserve_bytes};
	struct rp_error err;

	if (rp_outbox_open(dir, &options, &ctl->ob, &err) != RP_OK)
		return rp_ctl_fail(&err);
	rp_place_judge(&ctl->place, ctl->settings->path, rp_config_outbox(config), dir);
	return RP_EXIT_OK;
}

static int run_verb(struct rp_ctl *ctl)
{
	struct rp_settings settings;
	struct rp_error err;
	int code;

	if ((ctl->verb->accepts & RP_OPENS_ITSELF) != 0)
		return ctl->verb->run(ctl);
	if (rp_settings_load(ctl->config_path, &settings, &err) != RP_OK) {
		rp_ctl_say("%s", err.text);
		return rp_settings_exit_code(err.code);
	}
	ctl->settings = &settings;
	code = open_outbox(ctl, &settings.config);
	if (code == RP_EXIT_OK) {
		code = ctl->selector.has_endpoint
			   ? rp_ctl_resolve_glob(ctl, &ctl->selector.endpoint)
			   : RP_EXIT_OK;
		if (code == RP_EXIT_OK)
			code = ctl->verb->run(ctl);
		rp_outbox_close(ctl->ob);
	}
	rp_settings_release(&settings);
	return code;
}

static int with_verb(const struct rp_verb *verb, int argc, char **argv)
{
	struct rp_ctl ctl = {.verb = verb,
			     .now_at_ms = rp_sys_wall_ms(&rp_sys_real),
			     .max_growth_bytes = (uint64_t)1 << 30};
	int code;

	look_at_terminal(&ctl);
	code = rp_options_read(&ctl, argc, argv);
	ctl.color = ctl.color && !ctl.no_color;
	if (code == -1 && !rp_place_init(&ctl.place, ctl.outbox_dir, ctl.config_path))
		code = rp_ctl_no_memory();
	if (code == -1)
		code = (verb->accepts & RP_NEEDS_NOTHING) != 0 ? verb->run(&ctl) : run_verb(&ctl);
	rp_selector_release(&ctl.selector);
	rp_place_release(&ctl.place);
	rp_buf_release(&ctl.out);
	return code;
}

static int help(const char *name)
{
	const struct rp_verb *verb;

	if (name == NULL) {
		print_usage(stdout);
		return RP_EXIT_OK;
	}
	verb = find_verb(name);
	if (verb == NULL)
		return RP_EXIT_USAGE;
	rp_options_help(verb);
	return RP_EXIT_OK;
}

static int run(int argc, char **argv)
{
	const struct rp_verb *verb;

	if (argc < 2) {
		print_usage(stderr);
		return RP_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	if (strcmp(argv[1], "--version") == 0) {
		puts("runpostctl " RP_VERSION);
		return RP_EXIT_OK;
	}
	verb = find_verb(argv[1]);
	return verb != NULL ? with_verb(verb, argc - 1, argv + 1) : RP_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int code;

	if (!rp_sys_hold_stdio())
		return RP_EXIT_IO; /* there is nowhere to say it */
	rp_outbox_end_on_damage("runpostctl");
	rp_log_setup("ctl", RP_LOG_WARN);
	code = run(argc, argv);
	if (code != RP_EXIT_OK || (fflush(stdout) == 0 && !ferror(stdout)))
		return code;
	rp_ctl_say("cannot write to standard output: %s", strerror(errno));
	return RP_EXIT_IO;
}
