/* file.h - files that are written where somebody said: regular ones or new ones. Not for what an
 * outbox is made of.
 *
 * The directory may belong to somebody else, and who asks may be root: so no link is followed to
 * the file, and what is no file is neither replaced nor opened by accident. Nor is what an outbox
 * is made of: all that write here refuse the names of its files with RP_ERR_INVAL, whatever the
 * directory. err names the path, and what would be right. */
#ifndef RP_BASE_FILE_H
#define RP_BASE_FILE_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

/* What something is that is no regular file, for a sentence: "a symbolic link". */
const char *rp_file_kind(mode_t mode);

/* Replaces the file, or makes it: whoever reads it sees the old text or the new one, whole. The
 * new one has the mode of the one that it replaces, and the owner if we may give it away; else
 * `mode`, whatever the umask. On failure the old one stays. RP_ERR_INVAL: it is a link, a
 * directory, a device, a FIFO or a socket. */
enum rp_err rp_file_replace(const char *path, struct rp_span text, unsigned mode,
			    struct rp_error *err);

/* A file that was not there before, mode 0600. RP_ERR_EXISTS: something is, be it a link to
 * nowhere. */
enum rp_err rp_file_create(const char *path, int *fd, struct rp_error *err);

/* Opens for appending; a new one has mode 0600. A device or a FIFO may be appended to as well, and
 * waits for its reader when it is written to. RP_ERR_INVAL: a link (but for those in /dev, as
 * /dev/stderr), a directory, a FIFO that nobody reads. */
enum rp_err rp_file_append(const char *path, int *fd, struct rp_error *err);

/* All of it. RP_ERR_IO: part of it may have been written. */
enum rp_err rp_file_write(int fd, struct rp_span bytes, const char *path, struct rp_error *err);

/* The name of a new file survives a power cut from then on, as far as we may see to it: the
 * directory may be one that we may write to and not read. */
enum rp_err rp_file_sync_name(const char *path, struct rp_error *err);

/* The path from /, links kept; it need not exist. Free it. NULL: out of memory, or the working
 * directory is gone. */
char *rp_path_absolute(const char *path);

#endif
