/* Prints the script of one shell, as it stands in tools/ctl/completion/; the Makefile quotes the
 * files for C. A story holds them to the verbs and options: tests/stories/test_completion.py. */

#include "ctl/verbs/verbs.h"
#include "base/bytes.h"

static const char bash_script[] =
#include "tools/ctl/completion/runpostctl.bash.inc"
    ;
static const char zsh_script[] =
#include "tools/ctl/completion/runpostctl.zsh.inc"
    ;
static const char fish_script[] =
#include "tools/ctl/completion/runpostctl.fish.inc"
    ;

static const struct {
	const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

int rp_verb_completion(struct rp_ctl *ctl)
{
	size_t i;

	for (i = 0; i < sizeof scripts / sizeof scripts[0] && ctl->n_names == 1; i++)
		if (strcmp(ctl->names[0], scripts[i].shell) == 0)
			return rp_buf_add_text(&ctl->out, scripts[i].script) ? rp_ctl_flush(ctl)
									     : rp_ctl_no_memory();
	rp_ctl_say("completion: name one shell: bash, zsh or fish");
	return RP_EXIT_USAGE;
}
