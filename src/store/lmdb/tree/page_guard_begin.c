/* page_guard_begin.c - prepares the page guard for a transaction: where the map is, how long, what
 * lists say. It runs once a transaction; page_guard.c runs for each row. */

#include "store/lmdb/tree/page_guard_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum rp_err rp_page_guard_prepare(struct rp_lmdb *ob, struct rp_error *err)
{
	struct rp_page_guard *tr;
	enum rp_err e = rp_pages_check_lists(ob, err);

	if (e != RP_OK)
		return e;
	tr = calloc(1, sizeof *tr);
	if (tr == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	tr->page_bytes = ob->page_bytes;
	ob->guard = tr;
	return RP_OK;
}

static bool grow_bits(unsigned char **bits, uint64_t had, uint64_t bytes)
{
	unsigned char *more = realloc(*bits, bytes);

	if (more == NULL)
		return false;
	memset(more + had, 0, bytes - had);
	*bits = more;
	return true;
}

static bool grow(struct rp_page_guard *tr)
{
	uint64_t bytes = tr->pages / 8 + 1;

	if (bytes <= tr->bits_bytes)
		return true;
	bytes += bytes / 2;
	if (!grow_bits(&tr->sound, tr->bits_bytes, bytes) ||
	    !grow_bits(&tr->around, tr->bits_bytes, bytes))
		return false;
	tr->bits_bytes = bytes;
	return true;
}

static void forget(struct rp_page_guard *tr)
{
	size_t i;

	tr->broken = false;
	for (i = 0; i < RP_T_COUNT; i++)
		tr->way[i].known = false;
	for (i = 0; i < tr->n_around; i++)
		rp_page_clear_bit(tr->around, tr->around_list[i]);
	tr->n_around = 0;
}

/* What is counted and behind the end of the file was taken and given back, and is free
 * (pages.c). */
static enum rp_err count_pages(struct rp_txn *t, struct rp_error *err)
{
	MDB_envinfo info;
	struct stat st;
	int fd;

	mdb_env_info(t->ob->env, &info);
	mdb_env_get_fd(t->ob->env, &fd);
	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", t->ob->dir);
	t->ob->guard->map_bytes = info.me_mapsize;
	t->ob->guard->pages = (uint64_t)st.st_size / t->ob->page_bytes;
	if (t->ob->guard->pages > info.me_last_pgno)
		t->ob->guard->pages = (uint64_t)info.me_last_pgno + 1;
	return RP_OK;
}

/* LMDB does not tell where the map is. Nothing is written yet, so a row lies there, and in the
 * file on a page whose number is known. From the row's address alone it cannot be told: the map
 * begins where a page of memory does, which may be smaller than one of the file. */
static enum rp_err find_map(struct rp_txn *t, struct rp_error *err)
{
	struct rp_key format = {"format", 6};
	MDB_val key = {format.len, format.bytes}, in_file, in_map;
	struct rp_tree_rows l;
	const struct rp_stop *leaf;
	enum rp_err e = rp_tree_rows_begin(&l, t, RP_T_META, err);
	int rc;

	if (e == RP_OK)
		e = rp_tree_rows_get(&l, format, &in_file, err);
	if (e == RP_OK) {
		rc = mdb_get(t->mdb, t->ob->table[RP_T_META], &key, &in_map);
		e = rp_db_fail(t->ob, rc, "format", err);
	}
	if (e == RP_OK) {
		leaf = rp_way_leaf(&l.way);
		t->ob->guard->map = (const unsigned char *)in_map.mv_data -
				    ((const unsigned char *)in_file.mv_data - leaf->page) -
				    leaf->pgno * t->ob->page_bytes;
	}
	rp_tree_rows_end(&l);
	if (e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND)
		e = rp_db_fail(t->ob,
			       rp_distrust(t, RP_T_META, 0, "the format's row cannot be found"),
			       "format", err);
	return e;
}

/* Its page is the first that LMDB changes in a commit. */
static enum rp_err look_at_list_of_tables(struct rp_txn *t, struct rp_error *err)
{
	const struct rp_page_guard *tr = t->ob->guard;
	uint64_t pgno;
	MDB_val v;
	int rc = rp_db_table_row(t->ob, t->mdb, RP_T_META, &v);

	if (rc == 0) {
		pgno = (uint64_t)((const unsigned char *)v.mv_data - tr->map) / tr->page_bytes;
		if (!inside(tr, pgno, 1) || rp_page_u64(page_at(tr, pgno)) != pgno)
			rc = rp_distrust(t, RP_T_META, pgno, "the list of tables is damaged");
	}
	return rp_db_fail(t->ob, rc, "list of tables", err);
}

enum rp_err rp_page_guard_begin(struct rp_txn *t, struct rp_error *err)
{
	struct rp_page_guard *tr = t->ob->guard;
	enum rp_err e;

	forget(tr);
	e = count_pages(t, err);
	if (e == RP_OK && tr->map == NULL)
		e = find_map(t, err);
	if (e == RP_OK)
		e = look_at_list_of_tables(t, err);
	if (e != RP_OK)
		return e;
	return grow(tr) ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

void rp_page_guard_map_moved(struct rp_lmdb *ob)
{
	if (ob->guard != NULL)
		ob->guard->map = NULL;
}

void rp_page_guard_free(struct rp_lmdb *ob)
{
	struct rp_page_guard *tr = ob->guard;

	if (tr == NULL)
		return;
	free(tr->sound);
	free(tr->around);
	free(tr->around_list);
	free(tr);
	ob->guard = NULL;
}
