/* webhook_file.h - reads a URL from a file. On a command line everybody could see its token. */
#ifndef RP_CONFIG_WEBHOOK_FILE_H
#define RP_CONFIG_WEBHOOK_FILE_H

#include "base/bytes.h"
#include "base/err.h"

/* Appends the URL in the file to out, as it is to be sent (rp_url_accept). The file has one line
 * with it; a byte order mark and space around the URL do not matter. RP_ERR_DENIED: others may
 * read or write it (group may read), or we may not; RP_ERR_INVAL: it holds no URL, is no regular
 * file, or path is a URL; RP_ERR_NOTFOUND, _IO, _NOMEM. err names the file, unless path is a URL,
 * and repeats nothing of the query. */
enum rp_err rp_webhook_file_read(const char *path, struct rp_buf *out, struct rp_error *err);

#endif
