/* settings_secrets.c - reads the signing secrets that the configuration names. It is apart from
 * settings.c because programs that sign nothing are to start without what makes keys of them. */

#include "config/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "config/settings_file.h"
#include "config/settings_tls.h"

#define SECRET_BYTES_MAX ((size_t)64 << 10)

static void signers_free(struct rp_settings *s)
{
	size_t i;

	if (s->signers == NULL)
		return;
	for (i = 0; i <= s->config.n_endpoints; i++)
		rp_signer_free(s->signers[i]);
	free(s->signers);
	s->signers = NULL;
}

static enum rp_err signer_new(const struct rp_settings *s, const char *at, const char *source,
			      struct rp_span text, struct rp_signer **out, struct rp_error *err)
{
	struct rp_error why;
	enum rp_err code = rp_signer_new(text, out, &why);

	if (code == RP_OK && rp_signer_count(*out) == 0) {
		rp_signer_free(*out);
		*out = NULL;
		code = rp_fail(
		    &why, RP_ERR_INVAL,
		    "there are only whpk_ keys, which cannot sign; add a whsec_ or whsk_ one");
	}
	if (code == RP_OK)
		return RP_OK;
	return rp_fail(err, code, "%s:%s = %s: %s", s->path, at, source, why.text);
}

static enum rp_err secret_file_load(const struct rp_settings *s, const char *at, const char *file,
				    struct rp_signer **out, struct rp_error *err)
{
	static const struct rp_settings_kind secret = {SECRET_BYTES_MAX, true, "one secret a line"};
	struct rp_span text;
	enum rp_err code = rp_settings_read(s, at, file, &secret, &text, err);

	if (code == RP_OK)
		code = signer_new(s, at, file, text, out, err);
	rp_settings_wipe(&text);
	return code;
}

static enum rp_err secret_env_load(const struct rp_settings *s, const struct rp_policy *policy,
				   struct rp_signer **out, struct rp_error *err)
{
	const char *value = getenv(policy->secret_env);
	char at[RP_SETTINGS_WHERE_MAX];

	rp_settings_where(policy, "secret_env", at);
	if (value == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND,
			       "%s:%s = %s: there is no such environment variable; set it, or use "
			       "secret_file",
			       s->path, at, policy->secret_env);
	return signer_new(s, at, policy->secret_env, rp_span_of(value), out, err);
}

static enum rp_err secret_credential_load(const struct rp_settings *s,
					  const struct rp_policy *policy, struct rp_signer **out,
					  struct rp_error *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char at[RP_SETTINGS_WHERE_MAX], *file;
	enum rp_err code;

	rp_settings_where(policy, "secret_credential", at);
	if (dir == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND,
			       "%s:%s = %s: there is no CREDENTIALS_DIRECTORY; start it by a "
			       "systemd unit with "
			       "LoadCredential=, or use secret_file",
			       s->path, at, policy->secret_credential);
	if (asprintf(&file, "%s/%s", dir, policy->secret_credential) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	code = secret_file_load(s, at, file, out, err);
	free(file);
	return code;
}

static enum rp_err secret_load(const struct rp_settings *s, const struct rp_policy *policy,
			       struct rp_signer **out, struct rp_error *err)
{
	char at[RP_SETTINGS_WHERE_MAX];

	if (policy->secret_file != NULL)
		return secret_file_load(s, rp_settings_where(policy, "secret_file", at),
					policy->secret_file, out, err);
	if (policy->secret_env != NULL)
		return secret_env_load(s, policy, out, err);
	return policy->secret_credential != NULL ? secret_credential_load(s, policy, out, err)
						 : RP_OK;
}

static size_t index_of(const struct rp_settings *s, const struct rp_policy *policy)
{
	size_t i = policy == &s->config.defaults ? 0 : (size_t)(policy - s->config.endpoints) + 1;

	assert(rp_settings_policy_at(s, i) == policy);
	return i;
}

static void free_secrets(struct rp_settings *s)
{
	signers_free(s);
	rp_settings_free_tls(s);
}

enum rp_err rp_settings_load_secrets(struct rp_settings *settings, struct rp_error *err)
{
	enum rp_err code = RP_OK;
	size_t i;

	assert(settings->signers == NULL);
	settings->free_secrets = free_secrets;
	settings->signers = calloc(1 + settings->config.n_endpoints, sizeof(*settings->signers));
	if (settings->signers == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	for (i = 0; i <= settings->config.n_endpoints && code == RP_OK; i++)
		code = secret_load(settings, rp_settings_policy_at(settings, i),
				   &settings->signers[i], err);
	if (code == RP_OK)
		code = rp_settings_load_tls(settings, err);
	if (code != RP_OK)
		signers_free(settings);
	return code;
}

struct rp_signer *rp_settings_signer(const struct rp_settings *settings,
				     const struct rp_policy *policy)
{
	assert(settings->signers != NULL);
	return settings->signers[index_of(settings, policy)];
}

struct rp_settings_tls rp_settings_tls(const struct rp_settings *settings,
				       const struct rp_policy *policy)
{
	return settings->tls != NULL ? settings->tls[index_of(settings, policy)]
				     : (struct rp_settings_tls){NULL, NULL};
}
