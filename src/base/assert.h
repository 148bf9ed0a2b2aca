/* assert.h - assert(), for our own bugs, in the place of the C library's, which has one way out
 * for all: SIGABRT.
 *
 * Who catches that signal must be able to tell a bug of ours from memory that a damaged file has
 * spoilt (store/lmdb/db/damage.c). And the C library waits until its message is written, perhaps
 * with a lock that everybody waits for, and for ever where nobody reads stderr; this one does not
 * wait (base/log.h). `make lint` keeps <assert.h> out. */
#ifndef RP_BASE_ASSERT_H
#define RP_BASE_ASSERT_H

#include <stdbool.h>

#define assert(what) ((what) ? (void)0 : rp_assert_failed(#what, __FILE__, __LINE__))

/* Says so on stderr and ends the process by SIGABRT. */
_Noreturn void rp_assert_failed(const char *what, const char *file, int line);

/* The same for what the machine must give and does not: `line` with its line feed goes to
 * stderr. */
_Noreturn void rp_abort(const char *line);

/* For a handler of SIGABRT: whether this thread is on its way out by one of the two. */
bool rp_assert_has_failed(void);

#endif
