/* page_guard_begin.c - prepares the page guard for a transaction: where the map is, how long, what
 * lists say. It runs once a transaction; page_guard.c runs for each row. */

#include "store/lmdb/tree/page_guard_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/lmdb/tree/rows.h"

struct rp_page_guard *rp_page_guard_new(void)
{
	return calloc(1, sizeof(struct rp_page_guard));
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

static bool grow(struct rp_page_guard *g)
{
	uint64_t bytes = g->pages / 8 + 1;

	if (bytes <= g->bits_bytes)
		return true;
	bytes += bytes / 2;
	if (!grow_bits(&g->sound, g->bits_bytes, bytes) ||
	    !grow_bits(&g->around, g->bits_bytes, bytes))
		return false;
	g->bits_bytes = bytes;
	return true;
}

static void forget(struct rp_page_guard *g)
{
	size_t i;

	g->broken = false;
	for (i = 0; i < RP_T_COUNT; i++)
		g->way[i].known = false;
	for (i = 0; i < g->n_around; i++)
		rp_page_clear_bit(g->around, g->around_list[i]);
	g->n_around = 0;
}

/* What is counted and behind the end of the file was taken and given back, and is free
 * (pages.c). */
static enum rp_err count_pages(struct rp_page_guard *g, struct rp_error *err)
{
	MDB_envinfo info;
	struct stat st;
	int fd;

	mdb_env_info(g->db->env, &info);
	mdb_env_get_fd(g->db->env, &fd);
	if (fstat(fd, &st) != 0)
		return rp_fail_sys(err, RP_ERR_IO, errno, "%s/data.mdb", g->db->dir);
	g->map_bytes = info.me_mapsize;
	g->pages = (uint64_t)st.st_size / g->page_bytes;
	if (g->pages > info.me_last_pgno)
		g->pages = (uint64_t)info.me_last_pgno + 1;
	return RP_OK;
}

/* LMDB does not tell where the map is. Nothing is written yet, so a row lies there, and in the
 * file on a page whose number is known. From the row's address alone it cannot be told: the map
 * begins where a page of memory does, which may be smaller than one of the file. */
static enum rp_err find_map(struct rp_page_guard *g, struct rp_error *err)
{
	struct rp_key format = {"format", 6};
	MDB_val key = {format.len, format.bytes}, in_file, in_map;
	struct rp_tree_rows l;
	const struct rp_stop *leaf;
	enum rp_err e = rp_tree_rows_begin(&l, g->db, g->txn, RP_T_META, err);
	int rc;

	if (e == RP_OK)
		e = rp_tree_rows_get(&l, format, &in_file, err);
	if (e == RP_OK) {
		rc = mdb_get(g->txn, g->db->table[RP_T_META], &key, &in_map);
		e = rp_db_fail(g->db, rc, "format", err);
	}
	if (e == RP_OK) {
		leaf = rp_way_leaf(&l.way);
		g->map = (const unsigned char *)in_map.mv_data -
			 ((const unsigned char *)in_file.mv_data - leaf->page) -
			 leaf->pgno * g->page_bytes;
	}
	rp_tree_rows_end(&l);
	if (e == RP_ERR_DAMAGED || e == RP_ERR_NOTFOUND)
		e = rp_db_fail(g->db,
			       rp_distrust(g, RP_T_META, 0, "the format's row cannot be found"),
			       "format", err);
	return e;
}

/* Its page is the first that LMDB changes in a commit. */
static enum rp_err look_at_list_of_tables(struct rp_page_guard *g, struct rp_error *err)
{
	uint64_t pgno;
	MDB_val v;
	int rc = rp_db_table_row(g->db, g->txn, RP_T_META, &v);

	if (rc == 0) {
		pgno = (uint64_t)((const unsigned char *)v.mv_data - g->map) / g->page_bytes;
		if (!inside(g, pgno, 1) || rp_page_u64(page_at(g, pgno)) != pgno)
			rc = rp_distrust(g, RP_T_META, pgno, "the list of tables is damaged");
	}
	return rp_db_fail(g->db, rc, "list of tables", err);
}

enum rp_err rp_page_guard_begin(struct rp_page_guard *g, const struct rp_db *db, MDB_txn *txn,
				struct rp_error *err)
{
	enum rp_err e;

	g->db = db;
	g->txn = txn;
	g->page_bytes = db->page_bytes;
	forget(g);
	e = count_pages(g, err);
	if (e == RP_OK && g->map == NULL)
		e = find_map(g, err);
	if (e == RP_OK)
		e = look_at_list_of_tables(g, err);
	if (e != RP_OK)
		return e;
	return grow(g) ? RP_OK : rp_fail(err, RP_ERR_NOMEM, "out of memory");
}

void rp_page_guard_map_moved(struct rp_page_guard *g)
{
	if (g != NULL)
		g->map = NULL;
}

void rp_page_guard_free(struct rp_page_guard *g)
{
	if (g == NULL)
		return;
	free(g->sound);
	free(g->around);
	free(g->around_list);
	free(g);
}
