/* settings_warn.c - finds what works and should be mended all the same. Warnings stop nothing,
 * so they are apart from what refuses a configuration. */

#include <sys/stat.h>

#include "text/shell.h"
#include "config/settings_file.h"

static bool has_headers(const struct rp_config *config)
{
	size_t i;

	if (config->defaults.n_headers > 0)
		return true;
	for (i = 0; i < config->n_endpoints; i++)
		if (config->endpoints[i].n_headers > 0)
			return true;
	return false;
}

static bool warn_of_mode(const struct rp_settings *s, rp_settings_tell *tell, void *arg)
{
	struct rp_buf text = {0}, remedy = {0};
	const char *harm = NULL;
	bool ok = true;

	if ((s->mode & S_IWOTH) != 0)
		harm = "lets everybody change it";
	else if ((s->mode & S_IROTH) != 0 && has_headers(&s->config))
		harm = "lets everybody read its headers, whose values may be secrets";
	if (harm == NULL)
		return true;
	ok = rp_buf_printf(&text, "%s: mode %04o %s", s->path, s->mode, harm) &&
	     rp_buf_add_text(&remedy, "chmod 0640 ") && rp_shell_quote_path(s->path, &remedy);
	if (ok)
		tell(arg, false, text.data, remedy.data);
	rp_buf_release(&remedy);
	rp_buf_release(&text);
	return ok;
}

static bool has_keys_of(const struct rp_policy *a, const struct rp_policy *b)
{
	return rp_text_is_same(a->secret_file, b->secret_file) &&
	       rp_text_is_same(a->secret_env, b->secret_env) &&
	       rp_text_is_same(a->secret_credential, b->secret_credential);
}

static const char *source_of_keys(const struct rp_policy *policy)
{
	if (policy->secret_file != NULL)
		return "secret_file";
	return policy->secret_env != NULL ? "secret_env" : "secret_credential";
}

static bool warn_of_keys(const struct rp_settings *s, const struct rp_policy *policy, int64_t now_s,
			 rp_settings_tell *tell, void *arg)
{
	const struct rp_signer *signer = rp_settings_signer(s, policy);
	char at[RP_SETTINGS_WHERE_MAX];
	struct rp_buf text = {0};
	bool ok;

	if (signer == NULL || rp_signer_count_at(signer, now_s) > 0)
		return true;
	ok = rp_buf_printf(
	    &text, "%s:%s: none of its keys (%zu) is valid now: nothing is sent until one is",
	    s->path, rp_settings_where(policy, source_of_keys(policy), at),
	    rp_signer_count(signer));
	if (ok)
		tell(arg, true, text.data,
		     "add a key whose window is open, then reload the sender with SIGHUP");
	rp_buf_release(&text);
	return ok;
}

bool rp_settings_warn(const struct rp_settings *settings, int64_t now_s, rp_settings_tell *tell,
		      void *arg)
{
	const struct rp_policy *defaults = &settings->config.defaults, *policy;
	bool ok = warn_of_mode(settings, tell, arg);
	size_t i;

	for (i = 0; settings->signers != NULL && i <= settings->config.n_endpoints && ok; i++) {
		policy = rp_settings_policy_at(settings, i);
		if (policy == defaults || !has_keys_of(policy, defaults))
			ok = warn_of_keys(settings, policy, now_s, tell, arg);
	}
	return ok;
}
