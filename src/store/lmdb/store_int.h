/* store_int.h - private to lmdb/: the handle, the tables, the transaction.
 *
 * Tables (keys are big-endian numbers, 8 bytes each, unless said otherwise; records in
 * model/record.h):
 *   meta           text -> "format": "runpost" + u32 version; "layout": a number; "head": struct
 *                  rp_head; "tally", "series:NAME": model/counters.h
 *   entry          seq -> facts                         written once
 *   body           (seq, chunk no) -> payload bytes  written once; a chunk never needs more than
 *                  one page
 *   delivery       seq -> struct rp_delivery
 *   queue          (endpoint, due_at, seq) -> nothing  one row for each WAITING entry that is not
 *                  behind another
 *   order          (endpoint, order_key, seq) -> flags  one row for each live (WAITING, IN_FLIGHT,
 *                  HELD) entry with an order_by; flags u8: 1 behind, 2 held
 *   agenda         (ready_at, endpoint) -> nothing  the ready queue: endpoints from which
 *                  something may be claimed at ready_at
 *   claim          (slot, seq) -> u32 claim_no          one row for each IN_FLIGHT entry
 *   attempt        (seq, n) -> struct rp_attempt
 *   dead           (state_at, seq) -> why, 12 bytes  one row for each DEAD entry; the value repeats
 *                  what its delivery record says, so that dead letters can be grouped by their
 *                  index alone: u64 endpoint | u8 cause | u8 last_cause | u16 http_status
 *   done           (state_at, seq) -> nothing           one row for each DELIVERED entry
 *   held           (state_at, seq) -> nothing           one row for each HELD entry
 *   run            run_id NUL seq -> nothing  one row for each entry that has a run_id and a dedupe
 *                  key that does not begin with it (text and 8 bytes, not three numbers)
 *   endpoint       id -> struct rp_endpoint
 *   endpoint_name  id -> name
 *   endpoint_id    first 16 bytes of SHA-256(name) -> id
 *   seen           dedupe key -> id of the entry (16 bytes)
 *   alias          id of an imported entry (16 bytes) -> the number it got here, when its id says
 *                  another
 *   job            number -> struct rp_job              (model/job.h)
 *   job_entry      (job, endpoint, seq) -> state, claim_no, replays, 9 bytes: what is left of a
 *                  job's set
 *   audit          number -> struct rp_audit            the last 4,096 changes by operators
 *   sender         slot -> incarnation u64, pid u64, started_at i64
 *   recent         number -> the attempts a commit settled (model/record.h); a ring, see
 *                  outbox_recent.c
 *
 * No DUPSORT: in LMDB 0.9.24 a cursor walk with deletes silently loses other rows there (measured:
 * 134 of 160 runs). */
#ifndef RP_STORE_LMDB_STORE_INT_H
#define RP_STORE_LMDB_STORE_INT_H

#include <lmdb.h>
#include <sys/stat.h>

#include "model/job_walk.h"
#include "model/ledger.h"
#include "model/sequence.h"
#include "store/lmdb/tree/cursor.h"
#include "store/store_ops.h"

enum rp_table {
	RP_T_META,
	RP_T_ENTRY,
	RP_T_BODY,
	RP_T_DELIVERY,
	RP_T_QUEUE,
	RP_T_ORDER,
	RP_T_READY,
	RP_T_CLAIM,
	RP_T_ATTEMPT,
	RP_T_DEAD,
	RP_T_DONE,
	RP_T_HELD,
	RP_T_RUN,
	RP_T_ENDPOINT,
	RP_T_ENDPOINT_NAME,
	RP_T_ENDPOINT_ID,
	RP_T_SEEN,
	RP_T_ALIAS,
	RP_T_SENDER,
	RP_T_JOB,
	RP_T_JOB_ENTRY,
	RP_T_AUDIT,
	RP_T_RECENT,
	RP_T_COUNT
};

#define RP_FORMAT_VERSION 1

/* An endpoint as one transaction sees it. */
struct rp_ep {
	uint64_t id;
	struct rp_endpoint rec;
	bool dirty;
	uint64_t was_in_flight; /* when the transaction first met it */
};

struct rp_open_series {
	char name[RP_SERIES_NAME_MAX];
	struct rp_series counts;
	bool known; /* it has a record, or will have one */
};

/* Names in the directory of an outbox. */
enum rp_file { RP_FILE_DATA, RP_FILE_LOCK, RP_FILE_WAKEUP, RP_FILE_SENDERS, RP_FILE_COUNT };

struct rp_file_id {
	uint64_t dev, ino; /* ino 0: none */
};

/* owner.c: as whom files are opened and made */
struct rp_owner {
	uid_t uid, dir_uid;
	gid_t gid;
	bool acts; /* root does, as uid and gid */
};

/* files.c: the files as they were opened */
struct rp_files {
	int base_fd; /* where `dir` begins; AT_FDCWD: at the root */
	int dir_fd;  /* -1, and so base_fd: not opened */
	struct rp_file_id dir, file[RP_FILE_COUNT];
	struct rp_owner owner;
	bool made_wakeup; /* by this handle */
};

struct rp_lmdb {
	struct rp_outbox outbox; /* first: rp_lmdb_of */
	char *dir;
	struct rp_files place;
	MDB_env *env;
	MDB_dbi table[RP_T_COUNT], list_of_tables;
	const struct rp_sys *sys;
	uint64_t quota_bytes, disk_reserve_bytes;
	/* of the data file: LMDB keeps to what they were on the machine that made it (page.h) */
	size_t page_bytes;
	/* body.c: bytes left on the last page of `body`, a guess, and where in this transaction
	 * the last row was put */
	size_t body_room;
	uintptr_t body_at;
	/* outbox_append.c, outbox_import.c: a record on its way into a row */
	unsigned char facts[RP_FACTS_BYTES_MAX];
	/* The endpoints of the current transaction; the memory is kept between transactions. */
	struct rp_ep **eps;
	size_t n_eps, cap_eps;
	uint32_t *ep_index; /* open addressing by id: position in eps + 1, 0 is free */
	size_t ep_index_size;
	/* outbox_recent.c: attempts settled in the current transaction that are not in a row yet */
	struct rp_recent recent[RP_RECENT_ROW_ATTEMPTS];
	size_t n_recent;
	/* counters.c: the counters as the current transaction leaves them, and what goes into the
	 * next one's */
	struct rp_counters counters;
	struct rp_open_series series[RP_SERIES_MAX];
	size_t n_series;
	struct {
		uint64_t duplicates;
		struct rp_histogram commits;
	} untold;
	struct rp_page_guard
	    *guard; /* page_guard.c: which pages may be written to; NULL: nothing was yet */
	/* outbox_fetch.c: the transaction in which entries are fetched; NULL: none was yet */
	struct rp_txn *fetcher;
	/* registry.c */
	int registry_fd;
	struct rp_sender_id me;
	struct rp_clock_watch clock; /* of ours, as of the last beat */
	uint32_t me_pid;
	bool joined;
	/* wakeup.c */
	int wakeup_fd, inotify_fd, wakeup_wd, registry_wd;
	int commits_fd; /* inotify on the data file; -1: nobody asked */
};

static inline struct rp_lmdb *rp_lmdb_of(const struct rp_outbox *outbox)
{
	return (struct rp_lmdb *)(uintptr_t)outbox;
}

struct rp_txn {
	struct rp_lmdb *ob;
	MDB_txn *mdb;
	int64_t now_at_ms;
	struct rp_head head;
	bool writes;
	bool dirty;                 /* something was written */
	bool counted;               /* the outbox's counters are this transaction's */
	bool keeps_cursors;         /* all that write do: */
	MDB_cursor *at[RP_T_COUNT]; /* where rows are looked for, put and removed; and */
	/* where they are appended; LMDB closes them with a transaction that writes */
	MDB_cursor *at_end[RP_T_COUNT];
};

/* --- db.c: LMDB; db_open.c: its beginning and end; db_room.c: how much room there is ------
 */

#define RP_DB_READERS_MAX 512 /* fixed by whoever opens first: the same everywhere */

#define RP_DISTRUSTED (-30600) /* beside LMDB's codes, for rp_db_fail: page_guard.c refuses */
/* Turns an LMDB or errno code into ours, with `what` in the sentence. rc 0 is RP_OK. */
enum rp_err rp_db_fail(struct rp_lmdb *ob, int rc, const char *what, struct rp_error *err);
/* Makes the names in a directory last, and its own in its parent (made_dir: for certain; else
 * where that may be read). */
enum rp_err rp_sync_names(const char *dir, bool made_dir, struct rp_error *err);
/* LMDB's row of a table: where its tree begins. As mdb_get. */
int rp_db_table_row(struct rp_lmdb *ob, MDB_txn *txn, enum rp_table table, MDB_val *row);
enum rp_err rp_db_open(struct rp_lmdb *ob, const struct rp_outbox_options *options,
		       struct rp_error *err);
void rp_db_close(struct rp_lmdb *ob);

/* --- beginning.c: the first pages of data.mdb, before LMDB opens it ----------------------- */

size_t rp_page_bytes_of_this_machine(void);
/* Whether the making of data.mdb was cut short before anything can have been stored; if so and
 * `clear`, it is emptied, so that it is begun anew. In the gate, with LMDB closed. */
bool rp_beginning_find_torn(struct rp_lmdb *ob, bool clear);
/* Whether a meta page tells a size of pages by which LMDB would divide by 0, or look for the other
 * one in the wrong place. */
bool rp_beginning_is_impossible(struct rp_lmdb *ob);

/* --- outbox_fetch.c ----------------------------------------------------------------------- */

void rp_fetcher_close(struct rp_lmdb *ob);

/* --- open_lock.c: one process at a time opens or closes the files of an outbox -----------------
 *
 * LMDB alone does not make that safe: see sees_last_commit in db_open.c. */

#define RP_OPEN_LOCK_TRIES 5000 /* with a pause of 2 ms after each: 10 s */
#define RP_OPEN_LOCK_TRIES_TO_CLOSE 100

/* Of the directory that is open, wherever it or this process went since; before that, of the one
 * under the path. RP_ERR_BUSY: another process has been in it all that time; *gate is -1 then, as
 * after any error. */
enum rp_err rp_open_lock_enter(const struct rp_lmdb *ob, int tries, int *gate,
			       struct rp_error *err);
void rp_open_lock_leave(int gate); /* -1: not entered */
void rp_open_lock_pause(void);

/* --- files.c: the files under the path are those that were opened -------------------------
 *
 * A directory can be removed, moved away or replaced, and each file in it, while programs go on
 * with the old ones. What is stored there nobody finds, and beside a new lock.mdb two would write
 * at once. */

/* In the gate: the directory, and as whom its files are opened. */
enum rp_err rp_files_open(struct rp_lmdb *ob, int gate, struct rp_error *err);
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

/* --- owner.c: an outbox has one user ------------------------------------------------ */

enum rp_err rp_owner_find(struct rp_lmdb *ob, const struct stat *dir, struct rp_error *err);
/* As rp_outbox_act, which ends with rp_outbox_act_end. */
enum rp_err rp_owner_act(struct rp_lmdb *ob, uid_t *before, struct rp_error *err);
/* RP_ERR_DENIED: no regular file, or the file of a user whose it must not be. */
/* For an open that failed with `sys`, of a file of the outbox. Where root acts as a user who may
 * not, RP_ERR_DENIED says so, and how to mend it; everything else is told as rp_fail_sys does.
 * Result: the code. */
enum rp_err rp_owner_fail_open(struct rp_lmdb *ob, const char *name, int sys, struct rp_error *err);
enum rp_err rp_owner_judge(struct rp_lmdb *ob, const char *name, const struct stat *st,
			   struct rp_error *err);

/* --- users.c: who else has it open, and where ---------------------------------------------
 *
 * LMDB's write lock is a robust mutex that holds the thread id of its owner: where two PID
 * namespaces share it, equal ids hand it over while it is held. */

/* In the gate, before LMDB opens anything: opens the doorbell, and says there that this process is
 * a user. RP_ERR_BUSY: there are users in another PID namespace, on another machine, or of other
 * files than those under the path. Closing the doorbell ends it. */
enum rp_err rp_users_enter(struct rp_lmdb *ob, struct rp_error *err);
/* Afterwards: LMDB has opened the files that are under the path, and these are what is used. */
enum rp_err rp_users_stay(struct rp_lmdb *ob, int data_fd, struct rp_error *err);
/* In the gate, when no outbox was found: takes away the doorbell that this handle made, if nobody
 * else uses it. */
void rp_users_leave_nothing(struct rp_lmdb *ob);

/* --- layout.c ----------------------------------------------------------------------------- */

/* Of a file with the right format. RP_ERR_FORMAT: it has another layout. A head that is damaged
 * passes. */
enum rp_err rp_layout_check(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err);

/* --- transactions and rows
 * ------------------------------------------------------------------------------------------ */

/* Begins a transaction and reads the head. Read ones end with rp_txn_end, write ones with
 * rp_txn_commit or rp_txn_end.
 */
enum rp_err rp_txn_read(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err);
/* For rows alone, often: the head stays zero, and endpoints are not to be asked for. It touches
 * nothing that a write transaction on another thread of this process uses. */
enum rp_err rp_txn_read_rows(struct rp_lmdb *ob, struct rp_txn *t, struct rp_error *err);
enum rp_err rp_txn_write(struct rp_lmdb *ob, int64_t now_at_ms, struct rp_txn *t,
			 struct rp_error *err);
/* Brings the ready queue and the records of changed endpoints up to date, writes the head, commits.
 * The transaction is over whatever the result. */
enum rp_err rp_txn_commit(struct rp_txn *t, struct rp_error *err);
void rp_txn_end(struct rp_txn *t); /* aborts; harmless after a commit */

/* Row access. rp_row_get: RP_ERR_NOTFOUND without filling err; the value is a view that dies with
 * the transaction or the next write. */
enum rp_err rp_row_get(struct rp_txn *t, enum rp_table table, struct rp_key key, MDB_val *value,
		       struct rp_error *err);
enum rp_err rp_row_put(struct rp_txn *t, enum rp_table table, struct rp_key key, const void *value,
		       size_t n, unsigned flags, struct rp_error *err);
/* Rows whose key is no number: as mdb_get, mdb_put and mdb_del. */
int rp_text_get(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value);
int rp_text_put(struct rp_txn *t, enum rp_table table, MDB_val *key, MDB_val *value,
		unsigned flags);
int rp_text_del(struct rp_txn *t, enum rp_table table, MDB_val *key);
/* The row behind the one where the cursor stands; the first, if it is new. As mdb_cursor_get. */
int rp_row_next(struct rp_txn *t, enum rp_table table, MDB_cursor *c, MDB_val *k, MDB_val *v);
int rp_row_last(struct rp_txn *t, enum rp_table table, MDB_val *k, MDB_val *v);
/* The cursor that the transaction keeps, or one of the caller's until its end. */
int rp_row_cursor(struct rp_txn *t, enum rp_table table, MDB_cursor **c);
void rp_row_cursor_end(struct rp_txn *t, MDB_cursor *c);
/* Behind the last row of the table; k and v as for mdb_put, flags beside MDB_APPEND. */
int rp_row_append(struct rp_txn *t, enum rp_table table, const struct rp_key *key, MDB_val *value,
		  unsigned flags);
enum rp_err rp_row_del(struct rp_txn *t, enum rp_table table, struct rp_key key,
		       struct rp_error *err);
/* The first row whose key is >= `from`; RP_ERR_NOTFOUND: none. Keys of n numbers are read into
 * key_out. */
enum rp_err rp_row_first(struct rp_txn *t, enum rp_table table, struct rp_key from,
			 uint64_t *key_out, size_t n, MDB_val *value, struct rp_error *err);

/* Pages of the map that were looked at count as this process's memory until it ends, each with its
 * neighbours: a walk over a million entries would be 500 MiB. A walk notes where it looked and
 * forgets it; the kernel's cache keeps it. */
struct rp_sight {
	const char *low, *high;
};
void rp_sight_note(struct rp_sight *s, const MDB_val *v);
void rp_sight_forget(
    /* not while a transaction still looks at them: it would fault them in again */
    const struct rp_sight *s);

const char *rp_table_name(enum rp_table table);

/* --- rows.c: rows in the order of their keys, page by page with read(2) -----------------
 *
 * For looking at many rows: an LMDB cursor would fault every page in. Only in read transactions,
 * which must last as long. Keys and values are views that die with the next call. Pages are not
 * trusted: RP_ERR_DAMAGED, with err filled. */

struct rp_tree_rows {
	struct rp_lmdb *ob;
	enum rp_table table;
	struct rp_datafile file;
	struct rp_way way;        /* to the leaf of the row that is next */
	const unsigned char *key; /* no row that comes has a lower one; in the leaf or in `kept` */
	size_t key_bytes;
	bool met; /* that one has been returned */
	unsigned char kept[512];
};
/* At the first row. End it also when it fails. */
enum rp_err rp_tree_rows_begin(struct rp_tree_rows *l, struct rp_txn *t, enum rp_table table,
			       struct rp_error *err);
void rp_tree_rows_end(struct rp_tree_rows *l);
/* What is next has this key or a higher one; behind: a higher one. */
enum rp_err rp_tree_rows_seek(struct rp_tree_rows *l, const MDB_val *key, bool behind,
			      struct rp_error *err);
/* RP_ERR_NOTFOUND without filling err: there is none. */
enum rp_err rp_tree_rows_next(struct rp_tree_rows *l, MDB_val *k, MDB_val *v, struct rp_error *err);
enum rp_err rp_tree_rows_get(struct rp_tree_rows *l, struct rp_key key, MDB_val *v,
			     struct rp_error *err);

/* --- pages.c, damage.c: LMDB's own pages may be damaged, and it checks none --------- */

/* pages at the end that a transaction took and gave back unwritten */
#define RP_PAGES_UNWRITTEN_MAX 65536

struct rp_pages_watch {
	void (*problem)(void *arg, const char *text);
	void *arg;
	/* after each leaf, with the pages read so far; may be NULL */
	bool (*go_on)(void *go_on_arg, uint64_t n_pages);
	void *go_on_arg;
};
/* How far a check has come: what its cursor holds. */
struct rp_verify_cursor {
	unsigned phase, table;
	unsigned char key[512]; /* LMDB's have at most 511 bytes */
	size_t key_bytes;
	bool done;
};
/* Reads the pages of the transaction's snapshot without LMDB, from at->table, at->key on until
 * go_on says no (it is heard once this has got ahead) or all is done; counts and tells what is
 * wrong. Not before this has found nothing may LMDB be expected to survive a walk through all of
 * it. RP_ERR_STALE: others have committed twice since the transaction began, so begin another one.
 *
 * In several goes, each in a transaction of its own, a page that was there all the time is read in
 * one of them, and compared with its neighbours and the free list of that snapshot; a page that
 * came meanwhile may be left out. What needs all pages of one snapshot, the numbers of pages and
 * rows and whether two tables share a page, is seen where one go holds them. */
enum rp_err rp_pages_check(struct rp_txn *t, const struct rp_pages_watch *watch,
			   struct rp_verify_cursor *at, bool *all_done, uint64_t *n_problems,
			   struct rp_error *err);
/* The free list and the list of tables, of which LMDB reads any page when it commits.
 * RP_ERR_FORMAT: they are damaged. */
enum rp_err rp_pages_check_lists(struct rp_lmdb *ob, struct rp_error *err);
/* RP_ERR_DAMAGED: the file is shorter than it must be, and reading it would end in a SIGBUS. */
enum rp_err rp_pages_check_end(struct rp_lmdb *ob, MDB_txn *txn, struct rp_error *err);

/* page_guard.c: LMDB copies and moves what stands in a page by the page's own word. Where that is
 * damaged it writes over this process's memory, payloads that are about to be sent included. So a
 * transaction that writes looks at each page before LMDB comes to it: at all of it where the
 * process has not found a page with this number sound before, else at its header and bounds, since
 * whoever has written to it meanwhile has looked at it too. */
enum rp_page_guard_for {
	RP_PAGE_GUARD_FIND, /* a row, or a place for it */
	RP_PAGE_GUARD_PUT, /* over a row that may be there, whose value may have pages of its own */
	RP_PAGE_GUARD_REMOVE, /* the row: then LMDB also comes to pages beside its own */
};
/* Before LMDB sees the key; NULL: the end of the table. 0, an LMDB code, or RP_DISTRUSTED, which
 * is RP_ERR_FORMAT, so that nobody takes it for the damage of one record, and logged as `damage`:
 * no row of this transaction is trusted any more, the head's included, so that it cannot be
 * committed. */
int rp_page_guard(struct rp_txn *t, enum rp_table table, const MDB_val *key,
		  enum rp_page_guard_for what_for);
/* The same for a key that LMDB came to on its way from another one, and where it stands. */
int rp_page_guard_found(struct rp_txn *t, enum rp_table table, const MDB_val *key);
/* The number of the leaf that was found for the last key; 0: the transaction only reads, or the
 * table is empty. */
uint64_t rp_page_guard_leaf(const struct rp_txn *t, enum rp_table table);
/* once, before the write lock is taken */
enum rp_err rp_page_guard_prepare(struct rp_lmdb *ob, struct rp_error *err);
/* before anything is written */
enum rp_err rp_page_guard_begin(struct rp_txn *t, struct rp_error *err);
/* the map has got another size, and with it another place */
void rp_page_guard_map_moved(struct rp_lmdb *ob);
void rp_page_guard_free(struct rp_lmdb *ob);

/* damage.c */
void rp_damage_watch(struct rp_lmdb *ob); /* before anything is read */
/* Around every transaction, from before it begins, and every other call in which LMDB reads pages.
 * What ends this thread between the two is damage, and what it logs there goes out behind it
 * (rp_log_hold): others may be waiting for the lock. */
void rp_damage_enter(struct rp_lmdb *ob);
void rp_damage_leave(void);

/* The data file as of the last commit; walks LMDB's free list. */
struct rp_db_room {
	uint64_t high_bytes;   /* pages ever used */
	uint64_t free_bytes;   /* of these, free for the next commits */
	uint64_t pinned_bytes; /* of these, free as soon as the oldest reader has gone on */
	long pinned_by;        /* its pid */
};
struct rp_db_room rp_db_room(struct rp_lmdb *ob);
uint64_t rp_db_used_bytes(struct rp_lmdb *ob); /* neither free nor pinned */
uint64_t rp_db_high_water_bytes(struct rp_lmdb *ob);
/* as of the last commit; also outside of a transaction */
MDB_envinfo rp_db_info(struct rp_lmdb *ob);
uint64_t rp_db_disk_free_bytes(struct rp_lmdb *ob);

/* --- endpoint.c --------------------------------------------------------------------- */

/* The endpoint in this transaction; set ep->dirty after changing ep->rec. A damaged record is
 * rebuilt by a recount. */
enum rp_err rp_ep_get(struct rp_txn *t, uint64_t id, struct rp_ep **out, struct rp_error *err);
/* The id of an endpoint by name. RP_ERR_NOTFOUND without filling err: there is none. */
enum rp_err rp_ep_find(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err);
/* The same, creating it when it is new. */
enum rp_err rp_ep_intern(struct rp_txn *t, struct rp_span name, uint64_t *id, struct rp_error *err);
enum rp_err rp_ep_name(struct rp_txn *t, uint64_t id, struct rp_span *name, struct rp_error *err);
/* Writes what changed; called by rp_txn_commit. */
enum rp_err rp_ep_flush(struct rp_txn *t, struct rp_error *err);
void rp_ep_forget(struct rp_lmdb *ob); /* at the start of a transaction */

/* --- entry.c ------------------------------------------------------------------------ */

/* The one function that changes an entry's state: moves its index row, the ledger and its
 * endpoint's counters, and writes its delivery record. from NULL: it is new. to NULL: it is
 * removed (the caller deletes its other rows). to->state_at_ms is set here when the state
 * changes. */
enum rp_err rp_entry_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err);
/* RP_ERR_NOTFOUND: no such entry. RP_ERR_DAMAGED: *d is zeroed. Neither fills err. */
enum rp_err rp_entry_delivery(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			      struct rp_error *err);
enum rp_err rp_entry_facts(struct rp_txn *t, uint64_t seq, struct rp_facts *f,
			   struct rp_error *err);
/* The number under which an entry with this id is, if it is there at all. */
enum rp_err rp_entry_seq(struct rp_txn *t, const unsigned char id[RP_ID_BYTES], uint64_t *seq,
			 struct rp_error *err);
struct rp_key rp_key_id(const unsigned char id[RP_ID_BYTES]);
/* Keeps the attempt with its entry, and notes it in the log of recent ones. */
enum rp_err rp_entry_log_attempt(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
				 const struct rp_attempt *a, struct rp_error *err);
/* The value of the `dead` row of an entry with this delivery record, and back; false: it is no
 * such value. */
#define RP_WHY_BYTES 12
void rp_entry_put_why(const struct rp_delivery *d, unsigned char out[RP_WHY_BYTES]);
bool rp_entry_read_why(const MDB_val *v, struct rp_brief *out);
/* Removes every row of the entry. */
enum rp_err rp_entry_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err);
/* Rebuilds the damaged delivery record of an entry from its index rows, its attempts and its
 * facts, so that it can be set aside: what is lost is its retry budget, not the entry. Without
 * facts its endpoint may be RP_EP_UNKNOWN. */
enum rp_err rp_entry_reconstruct(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
				 struct rp_error *err);
/* Appends the payload to out and checks it: RP_ERR_DAMAGED if it does not match. */
enum rp_err rp_entry_payload(struct rp_txn *t, uint64_t seq, const struct rp_facts *f,
			     struct rp_buf *out, struct rp_error *err);

/* The key of the `run` row of an entry, if it has one: at most RP_RUN_KEY_MAX bytes into out; 0:
 * it has none. */
#define RP_RUN_KEY_MAX 256
size_t rp_entry_run_key(uint64_t seq, struct rp_span run_id, struct rp_span dedupe_key,
			unsigned char out[RP_RUN_KEY_MAX]);
enum rp_err rp_entry_put_run(struct rp_txn *t, uint64_t seq, struct rp_span run_id,
			     struct rp_span dedupe_key, struct rp_error *err);
/* outbox_read.c: fills in the facts and the endpoint's name beside the delivery record, of one
 * entry after the other. Begin with {.t = t}; what it fills in are views that die with the next
 * call. */
struct rp_viewer {
	struct rp_txn *t;
	struct rp_tree_rows entries;
	bool open;
	uint64_t endpoint; /* whose name it is */
	struct rp_span name;
};
enum rp_err rp_viewer_look(struct rp_viewer *v, uint64_t seq, struct rp_entry *out,
			   struct rp_error *err);
void rp_viewer_end(struct rp_viewer *v);

/* For order.c: puts a WAITING or HELD entry behind another, or in front, where it is due at once
 * at the earliest and, if it has not failed yet, begins its retry budget: the time behind costs it
 * nothing. */
enum rp_err rp_entry_set_behind(struct rp_txn *t, uint64_t seq, struct rp_delivery *d, bool behind,
				struct rp_error *err);

/* --- outbox_recent.c: what happened last -------------------------------------------- */

enum rp_err rp_recent_note(struct rp_txn *t, uint64_t seq, uint64_t endpoint, uint32_t n,
			   const struct rp_attempt *a, struct rp_error *err);
enum rp_err rp_recent_flush(struct rp_txn *t, struct rp_error *err); /* called by rp_txn_commit */
/* at the start of a transaction */
void rp_recent_forget(struct rp_lmdb *ob);

/* --- outbox_append.c, outbox_import.c: room for what comes in ----------------------- */

/* What a commit needs beside payloads and records: copied branch pages of the tables and the free
 * list. */
#define RP_COMMIT_OVERHEAD_PAGES ((uint64_t)64)
#define RP_ENTRY_OVERHEAD_BYTES 1024
/* RP_ERR_FULL: so much does not fit below quota, disk and map. */
enum rp_err rp_room_check(struct rp_lmdb *ob, uint64_t need_bytes, struct rp_error *err);
/* ... an entry without a payload. */
enum rp_err rp_room_for_one(struct rp_lmdb *ob, struct rp_error *err);

/* --- body.c: payloads in rows that fill pages --------------------------------------- */

enum rp_err rp_body_put(struct rp_txn *t, uint64_t seq, struct rp_span payload,
			struct rp_error *err);

/* Makes it due by this clock (below), where it waits in front. */
enum rp_err rp_entry_fix_due(struct rp_txn *t, uint64_t seq, struct rp_delivery *d,
			     struct rp_error *err);

/* --- outbox_clock.c: the clock was set back ----------------------------------------------- */

/* What rp_transition_due_at_ms wants to know of the entry, if it does; else, or if nobody can read
 * it any more, 0. */
int64_t rp_entry_not_before_ms(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d);

/* --- order.c: entries with the same order_by go one by one --------------------------------
 *
 * model/sequence.h says who is in front. All others of an order are `behind`: they have no queue
 * row, so that no claim can meet them, and a million of them cost nothing. */

void rp_order_read_row(const MDB_val *v, bool *behind, bool *held);
/* The part of rp_entry_move that keeps to it: moves the entry's `order` row, sets
 * to->behind, and puts another entry in front or behind where that follows. */
enum rp_err rp_order_move(struct rp_txn *t, uint64_t seq, const struct rp_delivery *from,
			  struct rp_delivery *to, struct rp_error *err);

/* --- counters.c: counters for metrics -------------------------------------------------- */

/* A state changed (both as for rp_entry_move), an attempt was settled, a commit has ended. */
void rp_counters_moved(struct rp_txn *t, const struct rp_delivery *from,
		       const struct rp_delivery *to);
void rp_counters_attempted(struct rp_txn *t, const struct rp_settlement *s);
void rp_counters_committed(struct rp_txn *t, int64_t took_us);
enum rp_err rp_counters_flush(struct rp_txn *t, struct rp_error *err); /* called by rp_txn_commit */
/* RP_ERR_DAMAGED, without filling err: one of its records is. */
enum rp_err rp_counters_verify(struct rp_txn *t, struct rp_error *err);
/* At the end of a process: duplicates it found after its last commit, in one of their own. */
void rp_counters_tell(struct rp_lmdb *ob);

/* --- job.c, outbox_audit.c ---------------------------------------------------------- */

/* Holds the texts of a job, which must outlive the writes of the transaction. */
struct rp_job_buf {
	unsigned char bytes[RP_JOB_BYTES_MAX];
};
/* RP_ERR_NOTFOUND, RP_ERR_DAMAGED: err says so. */
enum rp_err rp_job_get(struct rp_txn *t, uint64_t number, struct rp_job_buf *copy, struct rp_job *j,
		       struct rp_error *err);
enum rp_err rp_job_put(struct rp_txn *t, uint64_t number, const struct rp_job *j,
		       struct rp_error *err);
/* Works on entries of the set, as far as the walk, its rate and queues allow, and ends the job when
 * none is left. Puts the record if it changed. *worked: entries, done or skipped. */
enum rp_err rp_job_work(struct rp_txn *t, uint64_t number, struct rp_job *j,
			struct rp_job_walk *walk, size_t *worked, struct rp_error *err);
/* Removes up to max rows of the set. */
enum rp_err rp_job_sweep(struct rp_txn *t, uint64_t number, size_t max, size_t *removed,
			 struct rp_error *err);

/* outbox_change.c: one verb on one entry, if its state is in `states` (0: any). */
enum rp_err rp_change_one(struct rp_txn *t, enum rp_change verb, unsigned states, uint64_t seq,
			  enum rp_changed *result, struct rp_error *err);

/* Writes a new record of the log and removes the oldest beyond what is kept. */
enum rp_err rp_audit_put_new(struct rp_txn *t, const struct rp_audit *a, uint64_t *number,
			     struct rp_error *err);
/* A record that is gone or damaged is passed over. */
enum rp_err rp_audit_set_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err);
enum rp_err rp_audit_add_counts(struct rp_txn *t, uint64_t number, uint64_t done, uint64_t skipped,
				struct rp_error *err);

/* --- registry.c: who is alive --------------------------------------------------------- */

/* LMDB's default of 126 readers is raised, but more senders than this help nobody */
#define RP_REGISTRY_SLOTS 120

struct rp_registry_slot {
	uint64_t incarnation;
	uint32_t pid;
	int64_t beat_boot_ms;
	struct rp_clock_watch clock;
};
enum rp_err rp_registry_open(struct rp_lmdb *ob, struct rp_error *err);
/* Takes the lock of a free slot. RP_ERR_BUSY: none is free. */
enum rp_err rp_registry_take(struct rp_lmdb *ob, unsigned *slot, struct rp_error *err);
void rp_registry_drop(struct rp_lmdb *ob, unsigned slot);
bool rp_registry_is_held(struct rp_lmdb *ob, unsigned slot);
void rp_registry_write(struct rp_lmdb *ob, unsigned slot, const struct rp_registry_slot *s);
bool rp_registry_read(struct rp_lmdb *ob, unsigned slot, struct rp_registry_slot *s);

/* --- wakeup.c --------------------------------------------------------------------- */

enum rp_err rp_wakeup_open(struct rp_lmdb *ob, struct rp_error *err); /* once is enough */
void rp_wakeup_close(struct rp_lmdb *ob);
/* Wakes the senders that watch: there is work, or a limit was lifted. */
void rp_wakeup_ring(struct rp_lmdb *ob);

#endif
