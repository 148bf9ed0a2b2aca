/* settings.h - loads the configuration, and the secrets and certificates that it names. It does the
 * file I/O that config/config.h leaves to others.
 *
 * Paths in the file (outbox dir, webhook_file, secret_file, ca_file, client_cert, client_key,
 * token_file, door_key_file, rejects) that are not absolute are relative to the directory of the
 * file. So it does not matter where a program was started. Secrets stay in memory, as keys; no
 * message repeats one. */
#ifndef RP_CONFIG_SETTINGS_H
#define RP_CONFIG_SETTINGS_H

#include <sys/types.h>

#include "config/config.h"
#include "sign/crypto_tls.h"
#include "sign/sign.h"

#define RP_SETTINGS_PATH "/etc/runpost/runpost.conf"

/* What the requests of a policy use in their handshakes. */
struct rp_settings_tls {
	/* NULL: this system has none, so no receiver is trusted */
	struct rp_tls_anchors *anchors;
	const struct rp_tls_identity *identity; /* NULL: none */
};

/* What the front door alone needs. */
struct rp_settings_door {
	struct rp_span tokens,
	    keys; /* token_file and door_key_file as they are; NULL: none is set */
	uid_t users[RP_DOOR_NAMES_MAX]; /* door_users, by their numbers */
	size_t n_users;
};

struct rp_settings {
	struct rp_config config; /* not to be copied or moved: it points into itself */
	char *path;              /* NULL: no file, all defaults */
	unsigned mode;           /* of the file; 0: it is no regular one */
	char **paths;            /* those made absolute; the config points at them */
	size_t n_paths;
	/* of the defaults, then of each endpoint; NULL before the secrets are loaded */
	struct rp_signer **signers;
	struct rp_settings_tls *tls;                        /* likewise */
	struct rp_settings_tls_file *tls_files;             /* what those point at, each once */
	struct rp_settings_door door;                       /* {0} before it is loaded */
	void (*free_secrets)(struct rp_settings *settings); /* NULL: none was loaded */
};

/* path NULL: RP_SETTINGS_PATH if there is one, else all defaults. RP_ERR_NOTFOUND: the file given
 * is missing; RP_ERR_INVAL: file and line are in err; _DENIED, _IO, _NOMEM. After a failure there
 * is nothing to release. */
enum rp_err rp_settings_load(const char *path, struct rp_settings *out, struct rp_error *err);
/* The exit code for what failed in loading. Only what an operator must mend is RP_EXIT_CONFIG,
 * after which a supervisor of services gives up; out of memory or of descriptors, or a disk that
 * cannot be read, gets better without. */
int rp_settings_exit_code(enum rp_err code);
/* releasing twice is harmless; keys are wiped */
void rp_settings_release(struct rp_settings *settings);
/* releases and frees what malloc made; NULL is allowed */
void rp_settings_discard(struct rp_settings *settings);

/* Loads what every secret_file, secret_env and secret_credential names, once. A credential is a
 * file of that name in the directory that systemd names in $CREDENTIALS_DIRECTORY, under the same
 * rules as secret_file; keys that can only verify are an error, since nothing would ever be sent.
 * RP_ERR_DENIED: a file that others may read or write, or that we may not; RP_ERR_NOTFOUND;
 * RP_ERR_INVAL: the content. Then no signer is loaded.
 *
 * With them, what ca_file, client_cert and client_key name, under the same codes: the key under
 * the rules of a secret, the others not to be written by everybody. Without ca_file the
 * certificates of the system are read; where it has none, an endpoint with an https URL is
 * RP_ERR_NOTFOUND. The files are not looked at again: what was checked is what is used. */
enum rp_err rp_settings_load_secrets(struct rp_settings *settings, struct rp_error *err);

/* Loads what the door needs, once: reads token_file and door_key_file under the rules of
 * secret_file and the same codes, and looks up door_users. RP_ERR_INVAL: there is no such user.
 * Then nothing is loaded. What a line of the files may be, others judge, and say it with the next
 * function. */
enum rp_err rp_settings_load_door(struct rp_settings *settings, struct rp_error *err);

/* The same of door_key_file alone, for who only signs. */
enum rp_err rp_settings_load_door_keys(struct rp_settings *settings, struct rp_error *err);

/* Says where a file of [door] comes from: "CONFIG:LINE: [door] KEY = FILE: why". key: "token_file"
 * or "door_key_file", which is set. why and err may be the same. Returns the code of why. */
enum rp_err rp_settings_fail_door(const struct rp_settings *settings, const char *key,
				  const struct rp_error *why, struct rp_error *err);

/* The keys of a policy of settings->config; NULL: it has none. The secrets have been loaded. */
struct rp_signer *rp_settings_signer(const struct rp_settings *settings,
				     const struct rp_policy *policy);

/* Calls `tell` for what works but an operator should mend:
 * - a file that everybody may change;
 * - a file with headers, whose values may be secrets, that everybody may read;
 * - keys of which none is valid at now_s, once the keys are loaded. text: what and where. remedy: a
 * command to paste, or words. stops: nothing is sent while it is so. false: out of memory. */
typedef void rp_settings_tell(void *arg, bool stops, const char *text, const char *remedy);
bool rp_settings_warn(const struct rp_settings *settings, int64_t now_s, rp_settings_tell *tell,
		      void *arg);

/* Owned by the settings. Before the secrets have been loaded, no receiver is trusted. */
struct rp_settings_tls rp_settings_tls(const struct rp_settings *settings,
				       const struct rp_policy *policy);

#endif
