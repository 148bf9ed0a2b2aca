/* settings_file.c - reads the files that the configuration names: whole, regular, and closed to
 * others where they hold secrets. */

#include "config/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sign/crypto.h"
#include "text/shell.h"

static unsigned line_of(const struct rp_policy *policy, const char *key)
{
	const struct rp_setting_info *info;
	size_t i;

	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		if (strcmp(info->section, "defaults") == 0 && strcmp(info->name, key) == 0)
			return policy->line_of[i];
	return 0;
}

const char *rp_settings_where(const struct rp_policy *policy, const char *key,
			      char out[RP_SETTINGS_WHERE_MAX])
{
	if (policy->url != NULL)
		snprintf(out, RP_SETTINGS_WHERE_MAX, "%u: [endpoint \"%s\"] %s",
			 line_of(policy, key), policy->name, key);
	else
		snprintf(out, RP_SETTINGS_WHERE_MAX, "%u: [%s] %s", line_of(policy, key),
			 policy->name, key);
	return out;
}

int rp_settings_read_fd(int fd, char *data, size_t size, size_t *len)
{
	char more;
	ssize_t n;

	*len = 0;
	do {
		n = *len < size ? read(fd, data + *len, size - *len) : read(fd, &more, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (*len == size && n > 0)
			return EFBIG;
		*len += (size_t)n;
	} while (n != 0);
	return 0;
}

/* Of a secret the group may read (a service's group), and nobody else may do anything. */
static enum rp_err mode_check(const struct rp_settings *s, const char *at, const char *file,
			      mode_t mode, bool secret, struct rp_error *err)
{
	const char *harm = NULL, *change = NULL;
	struct rp_buf word = {0};
	struct stat link;

	if (secret && (mode & 0037) != 0) {
		harm = "lets others at the secret";
		change = "0600";
	} else if (!secret && (mode & 0002) != 0) {
		harm = "lets everybody change it";
		change = "o-w";
	}
	if (harm == NULL)
		return RP_OK;
	/* chmod would follow the link, to a file that others may need as it is */
	if (lstat(file, &link) != 0 || S_ISLNK(link.st_mode) || !rp_shell_quote_path(file, &word))
		rp_fail(err, RP_ERR_DENIED,
			"%s:%s = %s: mode %04o of the file that this link leads to %s; name a copy "
			"with mode %s",
			s->path, at, file, (unsigned)(mode & 07777), harm,
			secret ? "0600" : "0644");
	else
		rp_fail(err, RP_ERR_DENIED, "%s:%s = %s: mode %04o %s; mend it with: chmod %s %s",
			s->path, at, file, (unsigned)(mode & 07777), harm, change, word.data);
	rp_buf_release(&word);
	return RP_ERR_DENIED;
}

static enum rp_err file_read(const struct rp_settings *s, const char *at, const char *file, int fd,
			     const struct rp_settings_kind *kind, struct rp_span *out,
			     struct rp_error *err)
{
	char *data = malloc(kind->bytes_max);
	enum rp_err code = RP_OK;
	size_t len;
	int sys;

	if (data == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "%s:%s = %s: out of memory", s->path, at, file);
	sys = rp_settings_read_fd(fd, data, kind->bytes_max, &len);
	*out = (struct rp_span){data, len};
	if (sys == EFBIG)
		code = rp_fail(err, RP_ERR_INVAL, "%s:%s = %s: larger than %zu KiB; accepted: %s",
			       s->path, at, file, kind->bytes_max >> 10, kind->accepted);
	else if (sys != 0)
		code = rp_fail_sys(err, rp_err_of_errno(sys), sys, "%s:%s = %s: cannot read it",
				   s->path, at, file);
	if (code != RP_OK)
		rp_settings_wipe(out);
	return code;
}

/* O_NONBLOCK: opening a FIFO that nobody writes to would hold up a sender for ever. */
enum rp_err rp_settings_read(const struct rp_settings *s, const char *at, const char *file,
			     const struct rp_settings_kind *kind, struct rp_span *out,
			     struct rp_error *err)
{
	enum rp_err code;
	struct stat st;
	int fd;

	*out = (struct rp_span){NULL, 0};
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno, "%s:%s = %s: cannot open it",
				   s->path, at, file);
	if (fstat(fd, &st) != 0)
		code = rp_fail_sys(err, RP_ERR_IO, errno, "%s:%s = %s: cannot look at it", s->path,
				   at, file);
	else if (!S_ISREG(st.st_mode))
		code = rp_fail(err, RP_ERR_INVAL, "%s:%s = %s: it is no regular file; accepted: %s",
			       s->path, at, file, kind->accepted);
	else
		code = mode_check(s, at, file, st.st_mode, kind->secret, err);
	if (code == RP_OK)
		code = file_read(s, at, file, fd, kind, out, err);
	close(fd);
	return code;
}

void rp_settings_wipe(struct rp_span *text)
{
	if (text->ptr == NULL)
		return;
	rp_wipe((char *)(uintptr_t)text->ptr, text->len);
	free((char *)(uintptr_t)text->ptr);
	*text = (struct rp_span){NULL, 0};
}
