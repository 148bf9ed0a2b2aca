/* check_int.h - shared by check.c, which judges an image as it is, and after.c, which goes on
 * working with it. */
#ifndef TORTURE_CHECK_INT_H
#define TORTURE_CHECK_INT_H

#include "check.h"

/* What an entry shows, copied out of the page that showed it: the store must not be called from
 * there. */
struct shown {
	uint64_t seq;
	unsigned char id[RP_ID_BYTES];
	struct rp_delivery delivery;
	struct expect_run *run;
};

struct look {
	struct check *c; /* NULL: nothing is judged or kept, only the digest is made */
	struct shown all[CHECK_RUNS_MAX];
	size_t n;
	uint64_t digest;
};
extern struct look check_all;

/* Fills check_all with all entries. false: they cannot be read. */
bool check_look(struct check *c, bool judge);

void check_violation(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_sound(struct check *c, const char *when);
void check_go_on(struct check *c);

#endif
