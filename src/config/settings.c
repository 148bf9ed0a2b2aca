/* settings.c - reads the configuration file. It does the file input that config.c leaves out; the
 * secrets are in settings_secrets.c, certificates in settings_tls.c. */

#include "config/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sign/crypto.h"
#include "config/settings_file.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

static enum rp_err parse_fd(int fd, const char *path, struct rp_config *config,
			    struct rp_error *err)
{
	char *data = malloc(FILE_BYTES_MAX);
	struct rp_span text;
	enum rp_err code;
	size_t len;
	int sys;

	if (data == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "cannot read %s: out of memory", path);
	sys = rp_settings_read_fd(fd, data, FILE_BYTES_MAX, &len);
	text.ptr = data;
	text.len = len;
	if (sys == EFBIG)
		code = rp_fail(err, RP_ERR_INVAL,
			       "%s: larger than 1 MiB; accepted: a configuration file", path);
	else if (sys != 0)
		code = rp_fail_sys(err, rp_err_of_errno(sys), sys, "cannot read %s", path);
	else
		code = rp_config_parse(config, path, text, err);
	rp_wipe(data, len); /* headers may hold secrets */
	free(data);
	return code;
}

/* Makes *at, a path from the file, absolute. */
static enum rp_err path_resolve(struct rp_settings *s, const char *base, const char **at,
				struct rp_error *err)
{
	char *full;

	if (*at == NULL || (*at)[0] == '/')
		return RP_OK;
	if (asprintf(&full, "%s/%s", base, *at) < 0)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	s->paths[s->n_paths++] = full;
	*at = full;
	return RP_OK;
}

static enum rp_err policy_resolve(struct rp_settings *s, const char *base, struct rp_policy *policy,
				  struct rp_error *err)
{
	const char **const at[] = {&policy->secret_file, &policy->ca_file, &policy->client_cert,
				   &policy->client_key};
	enum rp_err code = RP_OK;
	size_t i;

	for (i = 0; i < sizeof at / sizeof at[0] && code == RP_OK; i++)
		code = path_resolve(s, base, at[i], err);
	return code;
}

static enum rp_err door_resolve(struct rp_settings *s, const char *base, struct rp_error *err)
{
	struct rp_door_config *door = &s->config.door;
	const char **const at[] = {&door->token_file, &door->door_key_file, &door->rejects};
	enum rp_err code = RP_OK;
	size_t i;

	for (i = 0; i < sizeof at / sizeof at[0] && code == RP_OK; i++)
		code = path_resolve(s, base, at[i], err);
	return code;
}

static enum rp_err paths_resolve(struct rp_settings *s, struct rp_error *err)
{
	char *base = realpath(s->path, NULL), *slash;
	enum rp_err code;
	size_t i;

	if (base == NULL)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno,
				   "cannot find the directory of %s", s->path);
	slash = strrchr(base, '/');
	slash[slash == base] = '\0';
	s->paths = calloc(5 + 4 * (1 + s->config.n_endpoints), sizeof *s->paths);
	if (s->paths == NULL)
		code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	else
		code = path_resolve(s, base, &s->config.outbox_dir, err);
	if (code == RP_OK)
		code = path_resolve(s, base, &s->config.webhook_file, err);
	if (code == RP_OK)
		code = door_resolve(s, base, err);
	if (code == RP_OK)
		code = policy_resolve(s, base, &s->config.defaults, err);
	for (i = 0; i < s->config.n_endpoints && code == RP_OK; i++)
		code = policy_resolve(s, base, &s->config.endpoints[i], err);
	free(base);
	return code;
}

enum rp_err rp_settings_load(const char *path, struct rp_settings *out, struct rp_error *err)
{
	const char *name = path != NULL ? path : RP_SETTINGS_PATH;
	struct stat st = {0};
	enum rp_err code;
	int fd;

	memset(out, 0, sizeof *out);
	rp_config_init(&out->config);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && path == NULL && errno == ENOENT)
		return RP_OK;
	if (fd < 0) {
		code = rp_fail_sys(err, rp_err_of_errno(errno), errno,
				   "cannot open the configuration %s", name);
		rp_settings_release(out);
		return code;
	}
	out->path = strdup(name);
	if (out->path == NULL)
		code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	else if (fstat(fd, &st) != 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "cannot look at %s", name);
	else
		code = parse_fd(fd, name, &out->config, err);
	out->mode = S_ISREG(st.st_mode) ? (unsigned)st.st_mode & 07777 : 0;
	close(fd);
	if (code == RP_OK)
		code = paths_resolve(out, err);
	if (code != RP_OK)
		rp_settings_release(out);
	return code;
}

int rp_settings_exit_code(enum rp_err code)
{
	return code == RP_ERR_NOMEM || code == RP_ERR_IO || code == RP_ERR_FULL
		   ? rp_err_exit_code(code)
		   : RP_EXIT_CONFIG;
}

void rp_settings_release(struct rp_settings *settings)
{
	size_t i;

	if (settings->free_secrets != NULL)
		settings->free_secrets(settings);
	rp_settings_wipe(&settings->door.tokens);
	rp_settings_wipe(&settings->door.keys);
	for (i = 0; i < settings->n_paths; i++)
		free(settings->paths[i]);
	free(settings->paths);
	free(settings->path);
	rp_config_release(&settings->config);
	memset(settings, 0, sizeof *settings);
}

void rp_settings_discard(struct rp_settings *settings)
{
	if (settings == NULL)
		return;
	rp_settings_release(settings);
	free(settings);
}
