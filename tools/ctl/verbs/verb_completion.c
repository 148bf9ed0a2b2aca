/* verb_completion.c - the verb `completion`: prints scripts for bash, zsh and fish. All three
 * are made from the tables of verbs and options. */

#include <stdio.h>

#include "model/outcome.h"
#include "text/shell.h"
#include "ctl/options.h"

/* Scripts that let a shell complete verbs, options and their values. They are made from the tables
 * of verbs and options, and ask `runpostctl endpoints` and `runpostctl jobs` for names and
 * numbers.
 *
 * Callers of the engine choose the names of endpoints, so a name may look like anything to a
 * shell: each script takes care that names are compared and inserted as text, quoted, and never
 * expanded. */

enum kind {
	WORDS,
	ENDPOINTS,
	PLANS,
	STEER, /* what `jobs` takes: a word, then the number of a job */
	FILES,
	DIRS,
	NOTHING
};

struct values {
	enum kind kind;
	char words[1024]; /* WORDS */
};

static void all_causes(char *out, size_t size)
{
	char text[RP_CAUSE_TEXT_MAX];
	size_t at = 0;
	int i;

	for (i = RP_CAUSE_NONE + 1; i < RP_CAUSE_MAX_; i++)
		at +=
		    (size_t)snprintf(out + at, at < size ? size - at : 0, "%s%s", at > 0 ? " " : "",
				     rp_cause_format((enum rp_cause)i, 0, text));
}

/* What may stand behind an option, or (by the usage line) behind a verb. */
static struct values values_of(const char *option, const struct rp_verb *verb)
{
	struct values v = {NOTHING, ""};
	const char *words = NULL;

	if (option != NULL && strcmp(option, "state") == 0)
		words = "waiting in_flight held delivered dead retrying";
	else if (option != NULL && strcmp(option, "event") == 0)
		words = "success error timeout interrupted";
	else if (option != NULL && strcmp(option, "check") == 0)
		words = "nagios json prometheus";
	else if (verb != NULL && strncmp(verb->args, "bash", 4) == 0)
		words = "bash zsh fish";
	if (words != NULL || (option != NULL && strcmp(option, "cause") == 0)) {
		v.kind = WORDS;
		if (words != NULL)
			snprintf(v.words, sizeof v.words, "%s", words);
		else
			all_causes(v.words, sizeof v.words);
	} else if (option != NULL ? strcmp(option, "endpoint") == 0
				  : strstr(verb->args, "NAME") != NULL) {
		v.kind = ENDPOINTS;
	} else if (option != NULL ? strcmp(option, "plan") == 0 : strcmp(verb->name, "jobs") == 0) {
		v.kind = option != NULL ? PLANS : STEER;
	} else if (option != NULL ? strcmp(option, "config") == 0 || strcmp(option, "textfile") == 0
				  : strstr(verb->args, "FILE") != NULL) {
		v.kind = FILES;
	} else if (option != NULL ? strcmp(option, "outbox") == 0
				  : strcmp(verb->args, "DIR") == 0) {
		v.kind = DIRS;
	}
	return v;
}

struct script {
	struct rp_ctl *ctl;
	const struct rp_verb *verb; /* the one whose options are listed */
	bool ok;
};

static void add(struct script *s, const char *text)
{
	s->ok = s->ok && rp_buf_add_text(&s->ctl->out, text);
}

static void add_quoted(struct script *s, const char *text)
{
	s->ok = s->ok && rp_shell_quote(text, &s->ctl->out);
}

/* How a shell says what it should offer. */
struct offers {
	const char *words; /* before the words themselves */
	bool quoted;       /* these are one argument */
	const char *endpoints, *plans, *steer, *files, *dirs, *nothing;
};

static const struct offers bash_offers = {
    .words = "_runpostctl_words ",
    .endpoints = "_runpostctl_endpoints",
    .plans = "_runpostctl_jobs planned",
    .steer = "_runpostctl_steer",
    .files = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
    .dirs = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")",
    .nothing = ":",
};

static const struct offers zsh_offers = {
    .words = "compadd -- ",
    .endpoints = "_runpostctl_endpoints",
    .plans = "_runpostctl_jobs planned",
    .steer = "_runpostctl_steer",
    .files = "_files",
    .dirs = "_files -/",
    .nothing = ":",
};

static const struct offers fish_offers = {
    .words = " -x -a ",
    .quoted = true,
    .endpoints = " -x -a '(__runpostctl_endpoints)'",
    .plans = " -x -a '(__runpostctl_jobs planned)'",
    .steer = " -x -a '(__runpostctl_steer)'",
    .files = " -r -F",
    .dirs = " -x -a '(__fish_complete_directories)'",
    .nothing = " -x",
};

static void add_offer(struct script *s, const struct offers *o, const struct values *v)
{
	switch (v->kind) {
	case WORDS:
		add(s, o->words);
		if (o->quoted)
			add_quoted(s, v->words);
		else
			add(s, v->words);
		break;
	case ENDPOINTS:
		add(s, o->endpoints);
		break;
	case PLANS:
		add(s, o->plans);
		break;
	case STEER:
		add(s, o->steer);
		break;
	case FILES:
		add(s, o->files);
		break;
	case DIRS:
		add(s, o->dirs);
		break;
	case NOTHING:
		add(s, o->nothing);
		break;
	}
}

/* --- bash --------------------------------------------------------------------------- */

static void bash_option_value(void *arg, const char *name, const char *value, const char *help)
{
	struct script *s = arg;
	struct values v = values_of(name, NULL);

	(void)help;
	if (value == NULL)
		return;
	add(s, "\t--");
	add(s, name);
	add(s, ")\n\t\t");
	add_offer(s, &bash_offers, &v);
	add(s, "\n\t\treturn ;;\n");
}

static void bash_option(void *arg, const char *name, const char *value, const char *help)
{
	(void)value;
	(void)help;
	add(arg, " --");
	add(arg, name);
}

static const char bash_head[] =
    "# bash completion of runpostctl; made by: runpostctl completion bash\n"
    "\n"
    "# Offers those of its arguments that begin with what is typed.\n"
    "_runpostctl_words()\n"
    "{\n"
    "\tlocal word\n"
    "\tfor word in \"$@\"; do\n"
    "\t\t[[ $word == \"$cur\"* ]] && COMPREPLY+=(\"$word\")\n"
    "\tdone\n"
    "}\n"
    "\n"
    "# What a verb says of the outbox of this line.\n"
    "_runpostctl_ask()\n"
    "{\n"
    "\tlocal i where=()\n"
    "\tfor ((i = 1; i + 1 < ${#typed[@]}; i++)); do\n"
    "\t\t[[ ${typed[i]} == --outbox || ${typed[i]} == --config ]] && where+=(\"${typed[i]}\" "
    "\"${typed[i + 1]}\")\n"
    "\tdone\n"
    "\t\"${typed[0]}\" \"$1\" \"${where[@]}\" 2>/dev/null </dev/null\n"
    "}\n"
    "\n"
    "# Names are text of others: they are never expanded, and inserted quoted.\n"
    "_runpostctl_endpoints()\n"
    "{\n"
    "\tlocal name rest quoted\n"
    "\twhile IFS=$'\\t' read -r name rest; do\n"
    "\t\tprintf -v quoted %q \"$name\"\n"
    "\t\t[[ $quoted == \"$cur\"* || $name == \"$cur\"* ]] && COMPREPLY+=(\"$quoted\")\n"
    "\tdone < <(_runpostctl_ask endpoints)\n"
    "}\n"
    "\n"
    "# Numbers of jobs, or of those in the state $1.\n"
    "_runpostctl_jobs()\n"
    "{\n"
    "\tlocal job verb state rest\n"
    "\twhile IFS=$'\\t' read -r job verb state rest; do\n"
    "\t\t[[ $job == \"$cur\"* && $state == \"${1-$state}\" ]] && COMPREPLY+=(\"$job\")\n"
    "\tdone < <(_runpostctl_ask jobs)\n"
    "}\n"
    "\n"
    "_runpostctl_steer()\n"
    "{\n"
    "\tlocal word\n"
    "\tfor word in \"${typed[@]:2}\"; do\n"
    "\t\tcase $word in\n"
    "\t\tlist) return ;;\n"
    "\t\tshow|pause|resume|cancel) _runpostctl_jobs; return ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\t_runpostctl_words list show pause resume cancel\n"
    "}\n"
    "\n"
    "_runpostctl_reply()\n"
    "{\n";

static const char bash_tail[] =
    "}\n"
    "\n"
    "_runpostctl()\n"
    "{\n"
    "\t# bash would cut URLs at their colons: the words are found anew, and what stands before the "
    "last colon of the\n"
    "\t# present one is not offered again\n"
    "\tlocal line=${COMP_LINE:0:COMP_POINT} cur before\n"
    "\tlocal -a typed\n"
    "\tread -ra typed <<<\"$line\"\n"
    "\tcur=\n"
    "\t[[ $line == *[[:space:]] ]] || { cur=${typed[-1]}; unset 'typed[-1]'; }\n"
    "\tCOMPREPLY=()\n"
    "\t_runpostctl_reply\n"
    "\t[[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] || return 0\n"
    "\tbefore=${cur%\"${cur##*:}\"}\n"
    "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
    "}\n"
    "complete -F _runpostctl runpostctl\n";

static void bash(struct script *s)
{
	const struct rp_ctl *ctl = s->ctl;
	size_t i;

	add(s, bash_head);
	add(s, "\tcase ${typed[-1]} in\n");
	rp_options_each(NULL, bash_option_value, s);
	add(s, "\tesac\n\tif [[ ${#typed[@]} -eq 1 ]]; then\n\t\t_runpostctl_words");
	for (i = 0; i < ctl->n_verbs; i++) {
		add(s, " ");
		add(s, ctl->verbs[i].name);
	}
	add(s, " --help --version\n\t\treturn\n\tfi\n\tcase ${typed[1]} in\n");
	for (i = 0; i < ctl->n_verbs; i++) {
		struct values v = values_of(NULL, &ctl->verbs[i]);

		add(s, "\t");
		add(s, ctl->verbs[i].name);
		add(s, ")\n\t\tif [[ $cur == -* ]]; then\n\t\t\t_runpostctl_words");
		rp_options_each(&ctl->verbs[i], bash_option, s);
		add(s, "\n\t\telse\n\t\t\t");
		add_offer(s, &bash_offers, &v);
		add(s, "\n\t\tfi ;;\n");
	}
	add(s, "\tesac\n");
	add(s, bash_tail);
}

/* --- zsh ---------------------------------------------------------------------------- */

static void zsh_option_value(void *arg, const char *name, const char *value, const char *help)
{
	struct script *s = arg;
	struct values v = values_of(name, NULL);

	(void)help;
	if (value == NULL)
		return;
	add(s, "\t--");
	add(s, name);
	add(s, ") ");
	add_offer(s, &zsh_offers, &v);
	add(s, "; return ;;\n");
}

static void zsh_described(struct script *s, const char *dashes, const char *name, const char *help)
{
	char text[256];

	snprintf(text, sizeof text, "%s%s:%s", dashes, name, help);
	add(s, " ");
	add_quoted(s, text);
}

static void zsh_option(void *arg, const char *name, const char *value, const char *help)
{
	(void)value;
	zsh_described(arg, "--", name, help);
}

static const char zsh_head[] =
    "#compdef runpostctl\n"
    "# zsh completion of runpostctl; made by: runpostctl completion zsh\n"
    "\n"
    "# What a verb says of the outbox of this line.\n"
    "_runpostctl_ask()\n"
    "{\n"
    "\tlocal -a where\n"
    "\tlocal i\n"
    "\tfor ((i = 2; i < $#words; i++)); do\n"
    "\t\tcase $words[i] in\n"
    "\t\t--outbox|--config) where+=(\"$words[i]\" \"${(Q)words[i+1]}\") ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\t\"${(Q)words[1]}\" $1 \"$where[@]\" 2>/dev/null </dev/null\n"
    "}\n"
    "\n"
    "_runpostctl_endpoints()\n"
    "{\n"
    "\tlocal -a names\n"
    "\tnames=(${(f)\"$(_runpostctl_ask endpoints | cut -f1)\"})\n"
    "\tcompadd -a names\n"
    "}\n"
    "\n"
    "# Numbers of jobs, or of those in the state $1.\n"
    "_runpostctl_jobs()\n"
    "{\n"
    "\tlocal -a jobs\n"
    "\tlocal job verb state rest\n"
    "\t_runpostctl_ask jobs | while IFS=$'\\t' read -r job verb state rest; do\n"
    "\t\t[[ $state == ${1-$state} ]] && jobs+=($job)\n"
    "\tdone\n"
    "\tcompadd -a jobs\n"
    "}\n"
    "\n"
    "_runpostctl_steer()\n"
    "{\n"
    "\tlocal word\n"
    "\tfor word in \"${(@)words[3,CURRENT-1]}\"; do\n"
    "\t\tcase $word in\n"
    "\t\tlist) return ;;\n"
    "\t\tshow|pause|resume|cancel) _runpostctl_jobs; return ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\tcompadd -- list show pause resume cancel\n"
    "}\n"
    "\n"
    "_runpostctl()\n"
    "{\n"
    "\tlocal -a described\n";

static void zsh(struct script *s)
{
	const struct rp_ctl *ctl = s->ctl;
	size_t i;

	add(s, zsh_head);
	add(s, "\tcase $words[CURRENT-1] in\n");
	rp_options_each(NULL, zsh_option_value, s);
	add(s, "\tesac\n\tif ((CURRENT == 2)); then\n\t\tdescribed=(");
	for (i = 0; i < ctl->n_verbs; i++)
		zsh_described(s, "", ctl->verbs[i].name, ctl->verbs[i].line);
	add(s, ")\n\t\t_describe verb described\n\t\treturn\n\tfi\n\tcase $words[2] in\n");
	for (i = 0; i < ctl->n_verbs; i++) {
		struct values v = values_of(NULL, &ctl->verbs[i]);

		add(s, "\t");
		add(s, ctl->verbs[i].name);
		add(s, ")\n\t\tif [[ $words[CURRENT] == -* ]]; then\n\t\t\tdescribed=(");
		rp_options_each(&ctl->verbs[i], zsh_option, s);
		add(s, ")\n\t\t\t_describe -o option described\n\t\telse\n\t\t\t");
		add_offer(s, &zsh_offers, &v);
		add(s, "\n\t\tfi ;;\n");
	}
	add(s, "\tesac\n}\n\n"
	       "# loaded by its name from fpath, or read by source\n"
	       "if [[ $funcstack[1] == _runpostctl ]]; then\n\t_runpostctl \"$@\"\nelse\n\tcompdef "
	       "_runpostctl "
	       "runpostctl\nfi\n");
}

/* --- fish --------------------------------------------------------------------------- */

static void fish_verb(struct script *s, const char *verb)
{
	add(s, "complete -c runpostctl -n '__runpostctl_verb_is ");
	add(s, verb);
	add(s, "'");
}

static void fish_option(void *arg, const char *name, const char *value, const char *help)
{
	struct script *s = arg;
	struct values v = values_of(name, NULL);

	fish_verb(s, s->verb->name);
	add(s, " -l ");
	add(s, name);
	if (value != NULL)
		add_offer(s, &fish_offers, &v);
	add(s, " -d ");
	add_quoted(s, help);
	add(s, "\n");
}

static const char fish_head[] =
    "# fish completion of runpostctl; made by: runpostctl completion fish\n"
    "\n"
    "# The verb is the second word; a word like it may follow.\n"
    "function __runpostctl_verb_is\n"
    "\tset -l typed (commandline -opc)\n"
    "\ttest (count $typed) -ge 2; and test \"$typed[2]\" = $argv[1]\n"
    "end\n"
    "\n"
    "# What a verb says of the outbox of this line.\n"
    "function __runpostctl_ask\n"
    "\tset -l typed (commandline -opc)\n"
    "\tset -l where\n"
    "\tfor i in (seq 2 (math (count $typed) - 1))\n"
    "\t\tif contains -- $typed[$i] --outbox --config\n"
    "\t\t\tset -a where $typed[$i] $typed[(math $i + 1)]\n"
    "\t\tend\n"
    "\tend\n"
    "\t$typed[1] $argv[1] $where 2>/dev/null </dev/null\n"
    "end\n"
    "\n"
    "function __runpostctl_endpoints\n"
    "\t__runpostctl_ask endpoints | cut -f1\n"
    "end\n"
    "\n"
    "# Numbers of jobs, or of those in the state $argv[1].\n"
    "function __runpostctl_jobs\n"
    "\t__runpostctl_ask jobs | while read -l -d \\t job verb state rest\n"
    "\t\tif test -z \"$argv[1]\"; or test \"$state\" = \"$argv[1]\"\n"
    "\t\t\techo $job\n"
    "\t\tend\n"
    "\tend\n"
    "end\n"
    "\n"
    "function __runpostctl_steer\n"
    "\tset -l typed (commandline -opc)\n"
    "\tfor i in (seq 3 (count $typed))\n"
    "\t\tswitch $typed[$i]\n"
    "\t\t\tcase list\n"
    "\t\t\t\treturn\n"
    "\t\t\tcase show pause resume cancel\n"
    "\t\t\t\t__runpostctl_jobs\n"
    "\t\t\t\treturn\n"
    "\t\tend\n"
    "\tend\n"
    "\tprintf '%s\\n' list show pause resume cancel\n"
    "end\n"
    "\n"
    "complete -c runpostctl -f\n";

static void fish(struct script *s)
{
	const struct rp_ctl *ctl = s->ctl;
	size_t i;

	add(s, fish_head);
	for (i = 0; i < ctl->n_verbs; i++) {
		add(s, "complete -c runpostctl -n __fish_use_subcommand -a ");
		add(s, ctl->verbs[i].name);
		add(s, " -d ");
		add_quoted(s, ctl->verbs[i].line);
		add(s, "\n");
	}
	for (i = 0; i < ctl->n_verbs; i++) {
		struct values v = values_of(NULL, &ctl->verbs[i]);

		s->verb = &ctl->verbs[i];
		if (v.kind != NOTHING) {
			fish_verb(s, s->verb->name);
			add_offer(s, &fish_offers, &v);
			add(s, "\n");
		}
		rp_options_each(s->verb, fish_option, s);
	}
}

int rp_verb_completion(struct rp_ctl *ctl)
{
	struct script s = {.ctl = ctl, .ok = true};
	const char *shell = ctl->n_names == 1 ? ctl->names[0] : "";

	if (strcmp(shell, "bash") == 0) {
		bash(&s);
	} else if (strcmp(shell, "zsh") == 0) {
		zsh(&s);
	} else if (strcmp(shell, "fish") == 0) {
		fish(&s);
	} else {
		rp_ctl_say("completion: name one shell: bash, zsh or fish");
		return RP_EXIT_USAGE;
	}
	return s.ok ? rp_ctl_flush(ctl) : rp_ctl_no_memory();
}
