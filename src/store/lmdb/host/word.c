/* word.c - a path of the outbox as a word for a shell. Messages of several files have it. */

#include "store/lmdb/store_int.h"

#include "text/shell.h"

const char *rp_files_word(const struct rp_lmdb *ob, const char *name, struct rp_buf *out)
{
	struct rp_buf path = {0};
	bool ok = rp_buf_printf(&path, "%s%s%s", ob->dir, *name != '\0' ? "/" : "", name) &&
		  rp_shell_quote(path.data, out);

	rp_buf_release(&path);
	return ok ? out->data : "it"; /* no memory */
}
