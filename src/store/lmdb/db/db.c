/* db.c - tells in our words what LMDB's codes say. Many of them mean something else to an operator
 * than to LMDB. */

#include "store/lmdb/db/db.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

uint64_t rp_db_disk_free_bytes(const struct rp_db *db)
{
	struct statvfs vfs;

	if (fstatvfs(db->dir_fd, &vfs) != 0)
		return UINT64_MAX;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

enum rp_err rp_db_fail(const struct rp_db *db, int rc, const char *what, struct rp_error *err)
{
	switch (rc) {
	case 0:
		return RP_OK;
	case MDB_NOTFOUND:
		return rp_fail(err, RP_ERR_NOTFOUND, "%s: %s: not found", db->dir, what);
	case MDB_MAP_FULL:
		return rp_fail(
		    err, RP_ERR_FULL,
		    "%s: the map is full (%s); raise map_size, or deliver or purge entries",
		    db->dir, what);
	case MDB_READERS_FULL:
		return rp_fail(err, RP_ERR_BUSY, "%s: all %d reader slots are taken (%s)", db->dir,
			       RP_DB_READERS_MAX, what);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is not an outbox of this program (%s)", db->dir,
			       mdb_strerror(rc));
	case RP_DISTRUSTED:
		return rp_fail(err, RP_ERR_FORMAT,
			       "%s: data.mdb is damaged (%s): see what `runpostctl verify` says, "
			       "and restore a backup",
			       db->dir, what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_BAD_TXN: /* after one of the two, which was taken for one entry's damage */
		return rp_fail(err, RP_ERR_DAMAGED, "%s: the data file is damaged (%s: %s)",
			       db->dir, what, mdb_strerror(rc));
	case ENOMEM:
		return rp_fail_sys(err, RP_ERR_NOMEM, rc, "%s: %s", db->dir, what);
	case ENOSPC:
	case EDQUOT:
		return rp_fail_sys(err, RP_ERR_FULL, rc, "%s: %s", db->dir, what);
	case EIO:
		/* A short write on a full disk shows as EIO (measured with 0.9.24): nothing was
		 * published, so it is only full. */
		if (rp_db_disk_free_bytes(db) < 16 * db->page_bytes)
			return rp_fail(err, RP_ERR_FULL, "%s: %s: no space left on the device",
				       db->dir, what);
		return rp_fail_sys(err, RP_ERR_IO, rc, "%s: %s", db->dir, what);
	default:
		if (rc > 0)
			return rp_fail_sys(err, rp_err_of_errno(rc), rc, "%s: %s", db->dir, what);
		return rp_fail(err, RP_ERR_IO, "%s: %s: %s", db->dir, what, mdb_strerror(rc));
	}
}

int rp_db_table_row(const struct rp_db *db, MDB_txn *txn, enum rp_table table, MDB_val *row)
{
	const char *name = rp_table_name(table);
	MDB_val key = {strlen(name), (void *)(uintptr_t)name};

	return mdb_get(txn, db->list_of_tables, &key, row);
}
