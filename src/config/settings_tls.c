/* settings_tls.c - reads the certificates that a configuration names, each file once. It is
 * apart from secrets because endpoints share the parsed result. */
#include "config/settings_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "config/settings_file.h"

/* What was read of one ca_file, or of one pair of client_cert and client_key. Endpoints mostly
 * inherit theirs, so that there are few. */
struct rp_settings_tls_file {
	struct rp_settings_tls_file *next;
	const char *file, *key; /* key: NULL for a ca_file */
	struct rp_tls_anchors *anchors;
	struct rp_tls_identity *identity;
};

static const struct rp_settings_kind certificates = {(size_t)4 << 20, false,
						     "certificates in PEM form"};
static const struct rp_settings_kind private_key = {(size_t)64 << 10, true,
						    "a private key in PEM form"};

/* Where systems keep the certificates of the public authorities: Debian, Alpine, Gentoo; Fedora;
 * the BSDs. */
static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
				      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

static const char *bundle_of_system(void)
{
	size_t i;

	for (i = 0; i < sizeof bundles / sizeof bundles[0]; i++)
		if (access(bundles[i], F_OK) == 0)
			return bundles[i];
	return NULL;
}

static bool same_key(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct rp_settings_tls_file *find(const struct rp_settings *s, const char *file,
					       const char *key)
{
	const struct rp_settings_tls_file *f;

	for (f = s->tls_files; f != NULL; f = f->next)
		if (strcmp(f->file, file) == 0 && same_key(f->key, key))
			break;
	return f;
}

static struct rp_settings_tls_file *add(struct rp_settings *s, const char *file, const char *key)
{
	struct rp_settings_tls_file *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	*f = (struct rp_settings_tls_file){.next = s->tls_files, .file = file, .key = key};
	s->tls_files = f;
	return f;
}

static enum rp_err no_memory(struct rp_error *err)
{
	return rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

static enum rp_err fail_at(const struct rp_settings *s, const char *at, const char *file,
			   const struct rp_error *why, struct rp_error *err)
{
	return rp_fail(err, why->code, "%s:%s = %s: %s", s->path, at, file, why->text);
}

typedef enum rp_err anchors_of_text(struct rp_span, struct rp_tls_anchors **, struct rp_error *);

static enum rp_err anchors_load(struct rp_settings *s, const char *at, const char *file,
				anchors_of_text *of_text, struct rp_tls_anchors **out,
				struct rp_error *err)
{
	const struct rp_settings_tls_file *known = find(s, file, NULL);
	struct rp_settings_tls_file *f;
	struct rp_error why;
	struct rp_span text;
	enum rp_err code;

	if (known != NULL) {
		*out = known->anchors;
		return RP_OK;
	}
	f = add(s, file, NULL);
	if (f == NULL)
		return no_memory(err);
	code = rp_settings_read(s, at, file, &certificates, &text, err);
	if (code != RP_OK)
		return code;
	if (of_text(text, &f->anchors, &why) != RP_OK)
		code = fail_at(s, at, file, &why, err);
	rp_settings_wipe(&text);
	*out = f->anchors;
	return code;
}

/* Until an endpoint needs them, it is no mistake that there are none: receivers without TLS may be
 * all there are. */
static enum rp_err anchors_of_system(struct rp_settings *s, const struct rp_policy *policy,
				     struct rp_tls_anchors **out, struct rp_error *err)
{
	const char *file = bundle_of_system();
	char at[RP_SETTINGS_WHERE_MAX];

	if (file != NULL)
		return anchors_load(s, rp_settings_where(policy, "ca_file (the system's)", at),
				    file, rp_tls_anchors_of_system, out, err);
	if (policy->url == NULL || !policy->prefix.https)
		return RP_OK;
	snprintf(at, sizeof at, "%u: [endpoint \"%s\"]", policy->section_line, policy->name);
	return rp_fail(err, RP_ERR_NOTFOUND,
		       "%s:%s: this system has no certificates of authorities; install them with "
		       "`apt-get install ca-certificates`, or name some with ca_file",
		       s->path, at);
}

static enum rp_err key_load(const struct rp_settings *s, const char *at, const char *file,
			    struct rp_tls_identity *identity, struct rp_error *err)
{
	struct rp_span text;
	struct rp_error why;
	enum rp_err code = rp_settings_read(s, at, file, &private_key, &text, err);

	if (code != RP_OK)
		return code;
	code = rp_tls_identity_set_key(identity, text, &why);
	rp_settings_wipe(&text);
	if (code == RP_ERR_DENIED)
		return rp_fail(err, code,
			       "%s:%s = %s: %s; write one without: (umask 077; openssl pkey -in %s "
			       "-out %s.plain)",
			       s->path, at, file, why.text, file, file);
	return code == RP_OK ? RP_OK : fail_at(s, at, file, &why, err);
}

static enum rp_err certificate_load(const struct rp_settings *s, const char *at, const char *file,
				    struct rp_tls_identity **out, struct rp_error *err)
{
	struct rp_span text;
	struct rp_error why;
	enum rp_err code = rp_settings_read(s, at, file, &certificates, &text, err);

	if (code != RP_OK)
		return code;
	if (rp_tls_identity_new(text, out, &why) != RP_OK)
		code = fail_at(s, at, file, &why, err);
	rp_settings_wipe(&text);
	return code;
}

/* Without client_key the key stands in the file of the certificate. */
static enum rp_err identity_load(struct rp_settings *s, const struct rp_policy *policy,
				 const struct rp_tls_identity **out, struct rp_error *err)
{
	const char *key = policy->client_key != NULL ? policy->client_key : policy->client_cert;
	const struct rp_settings_tls_file *known = find(s, policy->client_cert, key);
	char at[RP_SETTINGS_WHERE_MAX];
	struct rp_settings_tls_file *f;
	enum rp_err code;

	if (known != NULL) {
		*out = known->identity;
		return RP_OK;
	}
	f = add(s, policy->client_cert, key);
	if (f == NULL)
		return no_memory(err);
	code = certificate_load(s, rp_settings_where(policy, "client_cert", at),
				policy->client_cert, &f->identity, err);
	if (code == RP_OK)
		code = key_load(
		    s,
		    rp_settings_where(
			policy, policy->client_key != NULL ? "client_key" : "client_cert", at),
		    key, f->identity, err);
	*out = f->identity;
	return code;
}

static enum rp_err policy_load(struct rp_settings *s, const struct rp_policy *policy,
			       struct rp_settings_tls *out, struct rp_error *err)
{
	char at[RP_SETTINGS_WHERE_MAX];
	enum rp_err code;

	if (policy->ca_file != NULL)
		code = anchors_load(s, rp_settings_where(policy, "ca_file", at), policy->ca_file,
				    rp_tls_anchors_new, &out->anchors, err);
	else
		code = anchors_of_system(s, policy, &out->anchors, err);
	if (code == RP_OK && policy->client_cert != NULL)
		return identity_load(s, policy, &out->identity, err);
	if (code == RP_OK && policy->client_key != NULL)
		return rp_fail(err, RP_ERR_INVAL,
			       "%s:%s = %s: a key without a certificate; set client_cert too, or "
			       "leave client_key empty",
			       s->path, rp_settings_where(policy, "client_key", at),
			       policy->client_key);
	return code;
}

enum rp_err rp_settings_load_tls(struct rp_settings *s, struct rp_error *err)
{
	enum rp_err code = RP_OK;
	size_t i;

	assert(s->tls == NULL);
	s->tls = calloc(1 + s->config.n_endpoints, sizeof(*s->tls));
	if (s->tls == NULL)
		return no_memory(err);
	for (i = 0; i <= s->config.n_endpoints && code == RP_OK; i++)
		code = policy_load(s, rp_settings_policy_at(s, i), &s->tls[i], err);
	if (code != RP_OK)
		rp_settings_free_tls(s);
	return code;
}

void rp_settings_free_tls(struct rp_settings *s)
{
	struct rp_settings_tls_file *f;

	while ((f = s->tls_files) != NULL) {
		s->tls_files = f->next;
		rp_tls_anchors_free(f->anchors);
		rp_tls_identity_free(f->identity);
		free(f);
	}
	free(s->tls);
	s->tls = NULL;
}
