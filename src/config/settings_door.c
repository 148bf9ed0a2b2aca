/* settings_door.c - reads what the front door alone needs: tokens, keys and the numbers of users.
 * It is apart because other programs must not fail over files that they may not read. */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "config/settings_file.h"

#define SECRET_BYTES_MAX ((size_t)64 << 10)
#define USER_ENTRY_BYTES ((size_t)64 << 10) /* a line of the user database */

static const char *where(const struct rp_settings *s, const char *key,
			 char out[RP_SETTINGS_WHERE_MAX])
{
	const struct rp_setting_info *info;
	unsigned line = 0;
	size_t i;

	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		if (strcmp(info->section, "door") == 0 && strcmp(info->name, key) == 0)
			line = s->config.line_of[i];
	snprintf(out, RP_SETTINGS_WHERE_MAX, "%u: [door] %s", line, key);
	return out;
}

static enum rp_err file_load(const struct rp_settings *s, const char *key, const char *file,
			     const char *accepted, struct rp_span *out, struct rp_error *err)
{
	struct rp_settings_kind kind = {SECRET_BYTES_MAX, true, accepted};
	char at[RP_SETTINGS_WHERE_MAX];

	return file == NULL ? RP_OK : rp_settings_read(s, where(s, key, at), file, &kind, out, err);
}

static enum rp_err name_resolve(const struct rp_settings *s, const char *name, unsigned line,
				uid_t *out, struct rp_error *err)
{
	char *room = malloc(USER_ENTRY_BYTES);
	struct passwd entry, *found = NULL;
	enum rp_err code = RP_OK;
	int sys = room != NULL ? getpwnam_r(name, &entry, room, USER_ENTRY_BYTES, &found) : ENOMEM;

	if (found != NULL)
		*out = entry.pw_uid;
	else if (sys == ENOMEM || sys == EIO || sys == EMFILE || sys == ENFILE || sys == ERANGE)
		code =
		    rp_fail_sys(err, rp_err_of_errno(sys), sys,
				"%s:%u: [door] door_users: cannot look up %s", s->path, line, name);
	else
		code = rp_fail(err, RP_ERR_INVAL,
			       "%s:%u: [door] door_users: there is no user %s; accepted: names "
			       "and numbers of users, self, or none alone",
			       s->path, line, name);
	free(room);
	return code;
}

static enum rp_err user_resolve(const struct rp_settings *s, const char *word, unsigned line,
				uid_t *out, struct rp_error *err)
{
	if (strcmp(word, "self") == 0) {
		*out = geteuid();
		return RP_OK;
	}
	if (word[strspn(word, "0123456789")] == '\0') {
		*out = (uid_t)strtoul(word, NULL, 10);
		return RP_OK;
	}
	return name_resolve(s, word, line, out, err);
}

enum rp_err rp_settings_load_door_keys(struct rp_settings *settings, struct rp_error *err)
{
	assert(settings->door.keys.ptr == NULL);
	return file_load(settings, "door_key_file", settings->config.door.door_key_file,
			 "one key a line", &settings->door.keys, err);
}

enum rp_err rp_settings_load_door(struct rp_settings *settings, struct rp_error *err)
{
	const struct rp_door_config *door = &settings->config.door;
	struct rp_settings_door *out = &settings->door;
	enum rp_err code = RP_OK;
	size_t i;

	assert(out->tokens.ptr == NULL && out->n_users == 0);
	for (i = 0; i < door->users.n && code == RP_OK; i++)
		code = user_resolve(settings, door->users.at[i], door->users.line[i],
				    &out->users[i], err);
	if (code == RP_OK)
		code = file_load(settings, "token_file", door->token_file, "one token a line",
				 &out->tokens, err);
	if (code == RP_OK)
		code = rp_settings_load_door_keys(settings, err);
	if (code == RP_OK)
		out->n_users = door->users.n;
	else
		rp_settings_wipe(&out->tokens);
	return code;
}

enum rp_err rp_settings_fail_door(const struct rp_settings *settings, const char *key,
				  const struct rp_error *why, struct rp_error *err)
{
	const struct rp_door_config *door = &settings->config.door;
	char at[RP_SETTINGS_WHERE_MAX];
	struct rp_error copy = *why;

	return rp_fail(err, copy.code, "%s:%s = %s: %s", settings->path, where(settings, key, at),
		       strcmp(key, "token_file") == 0 ? door->token_file : door->door_key_file,
		       copy.text);
}
