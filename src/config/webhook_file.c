/* webhook_file.c - reads a URL from a file and checks who else may read that file. It is apart
 * from the settings because `--webhook-file` names such a file, too. */

#include "config/webhook_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sign/crypto.h"
#include "text/shell.h"
#include "net/url.h"

#define FILE_BYTES_MAX (RP_URL_MAX + 16) /* a byte order mark and a line end besides */

/* As for signing secrets: group may read (a service's group), nobody else may do anything. */
static enum rp_err check_file(const char *path, int fd, struct rp_error *err)
{
	struct rp_buf word = {0};
	struct stat st;

	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "webhook_file %s: cannot look at it",
				   path);
	if (!S_ISREG(st.st_mode))
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "webhook_file %s: it is no regular file; accepted: a file with one URL", path);
	if ((st.st_mode & 0037) == 0)
		return RP_OK;
	rp_fail(err, RP_ERR_DENIED,
		"webhook_file %s: mode %04o lets others at the URL, which may hold a token; mend "
		"it with: "
		"chmod 0600 %s",
		path, (unsigned)(st.st_mode & 07777),
		rp_shell_quote(path, &word) ? word.data : "it");
	rp_buf_release(&word);
	return RP_ERR_DENIED;
}

static struct rp_span trimmed(struct rp_span s)
{
	static const char space[] = " \t\r\n";

	s = rp_span_after_bom(s);
	while (s.len > 0 && memchr(space, s.ptr[s.len - 1], sizeof space - 1) != NULL)
		s.len--;
	while (s.len > 0 && memchr(space, s.ptr[0], sizeof space - 1) != NULL)
		s = (struct rp_span){s.ptr + 1, s.len - 1};
	return s;
}

static enum rp_err take_url(const char *path, struct rp_span text, struct rp_buf *out,
			    struct rp_error *err)
{
	struct rp_buf encoded = {0};
	struct rp_error why;
	struct rp_span sent;
	struct rp_url url;
	enum rp_err rc = rp_url_accept(text, &encoded, &sent, &url, &why);

	if (rc == RP_OK && !rp_buf_add(out, sent.ptr, sent.len))
		rc = rp_fail(&why, RP_ERR_NOMEM, "out of memory");
	if (encoded.len > 0)
		rp_wipe(encoded.data, encoded.len);
	rp_buf_release(&encoded);
	return rc == RP_OK ? rc : rp_fail(err, rc, "webhook_file %s: %s", path, why.text);
}

enum rp_err rp_webhook_file_read(const char *path, struct rp_buf *out, struct rp_error *err)
{
	char data[FILE_BYTES_MAX];
	size_t len = 0;
	ssize_t n = 1;
	enum rp_err rc;
	int fd;

	if (strstr(path, "://") != NULL) /* its token must not be repeated */
		return rp_fail(
		    err, RP_ERR_INVAL,
		    "webhook_file: this is a URL; give the name of a file that holds it");
	/* O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return rp_fail_sys(err, rp_err_of_errno(errno), errno,
				   "webhook_file %s: cannot open it", path);
	rc = check_file(path, fd, err);
	while (rc == RP_OK && n > 0 && len < sizeof data) {
		n = read(fd, data + len, sizeof data - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			rc = rp_fail_sys(err, RP_ERR_IO, errno, "webhook_file %s: cannot read it",
					 path);
		else if (n < 0)
			n = 1;
	}
	close(fd);
	if (rc == RP_OK)
		rc = take_url(path, trimmed((struct rp_span){data, len}), out, err);
	rp_wipe(data, len);
	return rc;
}
