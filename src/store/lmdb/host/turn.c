/* turn.c - lets a sender write between two appends of a flood. It uses a lock of the kernel's,
 * since that ends with its holder, however it ends. */

#include "store/lmdb/host/turn.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"
#include "store/lmdb/handle.h"

/* A sender that waits holds a read lock on one byte of "doorbell", far behind those of users.c. */
#define TURN_AT ((off_t)4 << 60)
/* Who has been away for so long has left the lock to whoever waited. */
#define FLOOD_US 2000
#define TURN_US 10000
#define LOOK_US 50

static void set_lock(const struct rp_lmdb *ob, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = TURN_AT, .l_len = 1};

	(void)fcntl(ob->wakeup_fd, F_OFD_SETLK, &l); /* where that fails, nobody gives way */
}

static bool somebody_waits(const struct rp_lmdb *ob)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = TURN_AT, .l_len = 1};

	return fcntl(ob->wakeup_fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void rp_turn_ask(struct rp_lmdb *ob)
{
	set_lock(ob, F_RDLCK);
}

void rp_turn_take(struct rp_lmdb *ob)
{
	set_lock(ob, F_UNLCK);
}

void rp_turn_give(struct rp_lmdb *ob)
{
	int64_t began_us = rp_sys_stopwatch_us(), now_us = began_us;
	bool waits;

	if (ob->turn.released_us == 0 || began_us - ob->turn.released_us > FLOOD_US)
		return;
	waits = somebody_waits(ob);
	/* One that did not come last time may be stopped: it gets no second turn in a row. */
	while (waits && !ob->turn.in_vain && now_us - began_us < TURN_US) {
		usleep(LOOK_US);
		now_us = rp_sys_stopwatch_us();
		waits = somebody_waits(ob);
	}
	ob->turn.in_vain = waits;
}

void rp_turn_released(struct rp_lmdb *ob)
{
	ob->turn.released_us = rp_sys_stopwatch_us();
}
