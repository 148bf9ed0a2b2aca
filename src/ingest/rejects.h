/* rejects.h - the file that rejected lines go to, verbatim, so that they can be mended and sent
 * again. */
#ifndef RP_INGEST_REJECTS_H
#define RP_INGEST_REJECTS_H

#include "base/bytes.h"
#include "base/err.h"

/* Opens FILE for appending as rp_file_append does (base/file.h), and makes its name durable. err
 * names the file. */
enum rp_err rp_rejects_open(const char *path, int *fd, struct rp_error *err);

/* Appends bytes, and a line feed if `end`. RP_ERR_IO: part of it may have been written. */
enum rp_err rp_rejects_write(int fd, struct rp_span bytes, bool end, struct rp_error *err);
enum rp_err rp_rejects_sync(int fd, struct rp_error *err);

#endif
