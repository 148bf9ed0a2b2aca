/* rejects.h - the file of rejected lines. They stand there as they came, so that somebody can mend
 * and send them again. */
#ifndef RP_INGEST_REJECTS_H
#define RP_INGEST_REJECTS_H

#include "base/bytes.h"
#include "base/err.h"

/* Opens a file for appending as rp_file_append does (base/file.h), and makes its name durable. The
 * caller closes *fd. Errors are those of rp_file_append; err names the file. */
enum rp_err rp_rejects_open(const char *path, int *fd, struct rp_error *err);

/* Appends bytes, and a line feed if `end`. RP_ERR_IO: a part may have been written. */
enum rp_err rp_rejects_write(int fd, struct rp_span bytes, bool end, struct rp_error *err);
enum rp_err rp_rejects_sync(int fd, struct rp_error *err);

#endif
