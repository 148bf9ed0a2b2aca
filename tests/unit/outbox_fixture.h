/* outbox_fixture.h - what the tests of LMDB's tables and files share: a temporary directory, child
 * processes, and a look behind the curtain for tests that damage records. How an outbox is worked
 * is in outbox/work.h. */
#ifndef OUTBOX_FIXTURE_H
#define OUTBOX_FIXTURE_H

#include <sys/types.h>

#include "outbox/work.h"
#include "store/lmdb/handle.h"
#include "store/lmdb/row.h"
#include "store/lmdb/txn.h"

extern char fx_dir[256];

/* LMDB's own handle, for tests that read its tables. */
static inline struct rp_lmdb *fx_db(void)
{
	return rp_lmdb_of(fx.ob);
}

/* --- fixtures: fx_setup joins as a sender; the teardown fails when the outbox is not sound
 * ------------------------------ */

void fx_setup_dir(void); /* only the directory's path: nothing is open, nothing exists */
void fx_teardown_dir(void);
void fx_teardown_damaged(void); /* as fx_teardown, but the test has broken the outbox on purpose */
void fx_path(const char *name, char *out, size_t size);

/* --- checking
 * ------------------------------------------------------------------------------------------ */

/* What the check in one snapshot finds; the one in slices must find something too, or nothing
 * too. */
uint64_t fx_problems(void);
uint64_t fx_full_problems(void);
uint64_t fx_slice_problems(size_t max_rows);

/* --- behind the curtain
 * ------------------------------------------------------------------------------------------ */

const char *fx_data_path(void);
#define FX_PAGE_MAX 32768
size_t fx_page_bytes(void); /* of a page of LMDB's, in an outbox that is made here */
size_t fx_pages(void);      /* so many has the data file */
void fx_page_read(uint64_t number, unsigned char page[FX_PAGE_MAX]);
void fx_page_write(uint64_t number, const unsigned char page[FX_PAGE_MAX]);
uint64_t fx_page_of(enum rp_table table, struct rp_key key); /* the leaf where this row is */

struct rp_key fx_text_key(const char *text);
/* Flips one bit of byte `at` of the row's value (counted from its end when negative). */
void fx_flip(enum rp_table table, struct rp_key key, int at);
void fx_put(enum rp_table table, struct rp_key key, const void *value, size_t n);
void fx_del(enum rp_table table, struct rp_key key);
bool fx_has(enum rp_table table, struct rp_key key);
uint64_t fx_rows(enum rp_table table);
/* Of a path, a section or a host, as it is stored. */
struct rp_endpoint fx_record(uint64_t id);
/* Rewrites the head record after `edit` changed it, with a right checksum. */
void fx_edit_head(void (*edit)(struct rp_head *head));

/* --- other processes (start them before anything is open)
 * -------------------------------------------------------------- */

struct fx_child {
	pid_t pid;
	int in, out; /* write to the child, read from it */
};
struct fx_child fx_start(void (*run)(int in, int out));
void fx_send(int fd, const void *mem, size_t n);
void fx_receive(int fd, void *mem, size_t n);
/* Waits for its end; it must end by itself with exit code 0. */
void fx_finish(struct fx_child *c);
void fx_kill(struct fx_child *c);

#endif
