/* files.h - private to src/store/lmdb: the files under the path are those that were opened.
 *
 * A directory can be removed, moved away or replaced, and each file in it, while programs go on
 * with the old ones. What is stored there nobody finds, and beside a new lock.mdb two would write
 * at once. */
#ifndef RP_STORE_LMDB_HOST_FILES_H
#define RP_STORE_LMDB_HOST_FILES_H

#include "base/bytes.h"
#include "store/lmdb/host/owner.h"

struct rp_lmdb;

/* Names in the directory of an outbox. */
enum rp_file { RP_FILE_DATA, RP_FILE_LOCK, RP_FILE_WAKEUP, RP_FILE_SENDERS, RP_FILE_COUNT };

struct rp_file_id {
	uint64_t dev, ino; /* ino 0: none */
};

/* As they were opened. */
struct rp_files {
	int base_fd; /* where `dir` begins; AT_FDCWD: at the root */
	int dir_fd;  /* -1, and so base_fd: not opened */
	struct rp_file_id dir, file[RP_FILE_COUNT];
	struct rp_owner owner;
	bool made_wakeup; /* by this handle */
};

/* Under the open lock: the directory, and as whom its files are opened. */
enum rp_err rp_files_open(struct rp_lmdb *ob, int lock, struct rp_error *err);
void rp_files_close(struct rp_lmdb *ob);
/* The file under that name now, never through a link. RP_ERR_NOTFOUND without filling err: there
 * is none. RP_ERR_DENIED: it is no regular file, or somebody else's. */
enum rp_err rp_files_look(struct rp_lmdb *ob, enum rp_file file, struct rp_file_id *id,
			  struct rp_error *err);
/* Opens it for reading and writing, and makes it (0600, the owner's) when there is none; *made
 * (may be NULL): it seems so. As rp_files_look. */
enum rp_err rp_files_file_open(struct rp_lmdb *ob, enum rp_file file, int *fd, bool *made,
			       struct rp_error *err);
/* From now on this is the one that rp_files_check has to find. */
void rp_files_keep(struct rp_lmdb *ob, enum rp_file file, struct rp_file_id id);
enum rp_err rp_files_keep_opened(struct rp_lmdb *ob, enum rp_file file, int fd,
				 struct rp_error *err);
/* RP_ERR_IO: the path leads elsewhere now. Each of `which` is a system call, so a transaction that
 * writes asks for what matters: when it has the lock, whether others would take the same one
 * (RP_FILES_LOCKS); after the commit, and before anybody may be told of it, whether what was
 * written is found (RP_FILES_DATA). One that reads, which is never done in a hurry, asks for
 * all. */
#define RP_FILES_FILE(file) (1u << (file))
#define RP_FILES_DIR RP_FILES_FILE(RP_FILE_COUNT)
#define RP_FILES_LOCKS (RP_FILES_FILE(RP_FILE_LOCK) | RP_FILES_FILE(RP_FILE_WAKEUP))
#define RP_FILES_DATA (RP_FILES_DIR | RP_FILES_FILE(RP_FILE_DATA) | RP_FILES_FILE(RP_FILE_LOCK))
#define RP_FILES_ALL (~0u)
enum rp_err rp_files_check(struct rp_lmdb *ob, unsigned which, struct rp_error *err);
/* The path of a file in it ("": its own) as a word for a shell, for commands that people paste. In
 * `out`, the caller's to release. */
const char *rp_files_word(const struct rp_lmdb *ob, const char *name, struct rp_buf *out);

#endif
