/* registry.c - tells which senders are alive, by a lock and a heartbeat in the file `senders`. The
 * kernel drops the lock with the process, so no cleaning up is needed. */

#include "store/lmdb/host/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/lmdb/handle.h"
#include "store/lmdb/host/files.h"

/* The file "senders": RP_REGISTRY_SLOTS slots of 64 bytes, u64 incarnation | u32 pid | i64
 * heartbeat (CLOCK_BOOTTIME ms) | i64 wall clock less boot clock | i64 last step of the wall clock
 * | i64 when it was noticed (CLOCK_BOOTTIME ms) | its offer (offers.c). The first byte of a slot
 * is what its holder keeps an OFD lock on; the kernel drops it when the process ends, however that
 * happens. Nothing here is ever synced: after a reboot nobody holds a lock, and that is all that
 * counts. */
#define USED_BYTES 44

static struct flock slot_lock(unsigned slot, short type)
{
	struct flock l = {.l_type = type,
			  .l_whence = SEEK_SET,
			  .l_start = (off_t)slot * RP_REGISTRY_SLOT_BYTES,
			  .l_len = 1};
	return l;
}

enum rp_err rp_registry_open(struct rp_lmdb *ob, struct rp_error *err)
{
	enum rp_err e;

	if (ob->registry_fd >= 0)
		return RP_OK;
	e = rp_files_file_open(ob, RP_FILE_SENDERS, &ob->registry_fd, NULL, err);
	return e == RP_OK ? rp_files_keep_opened(ob, RP_FILE_SENDERS, ob->registry_fd, err) : e;
}

enum rp_err rp_registry_take(struct rp_lmdb *ob, unsigned *slot, struct rp_error *err)
{
	for (*slot = 0; *slot < RP_REGISTRY_SLOTS; (*slot)++) {
		struct flock l = slot_lock(*slot, F_WRLCK);

		if (fcntl(ob->registry_fd, F_OFD_SETLK, &l) == 0)
			return RP_OK;
		if (errno != EAGAIN && errno != EACCES)
			return rp_fail_sys(err, RP_ERR_IO, errno, "%s/senders: lock a sender slot",
					   ob->db.dir);
	}
	return rp_fail(err, RP_ERR_BUSY, "%s: all %d sender slots are taken", ob->db.dir,
		       RP_REGISTRY_SLOTS);
}

void rp_registry_drop(struct rp_lmdb *ob, unsigned slot)
{
	struct flock l = slot_lock(slot, F_UNLCK);

	(void)fcntl(ob->registry_fd, F_OFD_SETLK, &l);
}

bool rp_registry_is_held(struct rp_lmdb *ob, unsigned slot)
{
	struct flock l = slot_lock(slot, F_WRLCK);

	/* When the kernel cannot tell, a sender counts as alive: its lease still ends. */
	return fcntl(ob->registry_fd, F_OFD_GETLK, &l) != 0 || l.l_type != F_UNLCK;
}

void rp_registry_write(struct rp_lmdb *ob, unsigned slot, const struct rp_registry_slot *s)
{
	unsigned char buf[USED_BYTES];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	ssize_t n;

	rp_put_u64(&w, s->incarnation);
	rp_put_u32(&w, s->pid);
	rp_put_i64(&w, s->beat_boot_ms);
	rp_put_i64(&w, s->clock.wall_less_boot_ms);
	rp_put_i64(&w, s->clock.step_ms);
	rp_put_i64(&w, s->clock.step_boot_ms);
	/* A failed heartbeat (full disk) is not an error here: the slot's blocks exist after the
	 * first, and a missing beat only means that claims return after the lease. */
	n = pwrite(ob->registry_fd, buf, sizeof buf, (off_t)slot * RP_REGISTRY_SLOT_BYTES);
	(void)n;
}

bool rp_registry_read(struct rp_lmdb *ob, unsigned slot, struct rp_registry_slot *s)
{
	unsigned char buf[USED_BYTES] = {0};
	struct rp_reader r = rp_reader_of(buf, sizeof buf);

	if (pread(ob->registry_fd, buf, sizeof buf, (off_t)slot * RP_REGISTRY_SLOT_BYTES) !=
	    (ssize_t)sizeof buf)
		return false;
	s->incarnation = rp_get_u64(&r);
	s->pid = rp_get_u32(&r);
	s->beat_boot_ms = rp_get_i64(&r);
	s->clock = (struct rp_clock_watch){.known = true};
	s->clock.wall_less_boot_ms = s->clock.seen_ms = rp_get_i64(&r);
	s->clock.step_ms = rp_get_i64(&r);
	s->clock.step_boot_ms = rp_get_i64(&r);
	return true;
}
