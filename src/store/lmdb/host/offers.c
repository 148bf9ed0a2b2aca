/* offers.c - reads and writes what senders offer, in the file `senders`. It is apart from
 * registry.c, which is for senders and for those who look after them: an append opens the file for
 * reading alone. */

#include "store/lmdb/host/offers.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "store/lmdb/handle.h"

/* The last 16 bytes of a slot (registry.c): i64 said_at_ms | u32 claims_max | u32 nothing. */
#define OFFER_AT 48
#define OFFER_BYTES 12

static off_t slot_at(unsigned slot)
{
	return (off_t)slot * RP_REGISTRY_SLOT_BYTES;
}

void rp_offers_write(struct rp_lmdb *ob, unsigned slot, const struct rp_offer *o)
{
	unsigned char buf[OFFER_BYTES];
	struct rp_writer w = rp_writer_of(buf, sizeof buf);
	ssize_t n;

	rp_put_i64(&w, o->said_at_ms);
	rp_put_u32(&w, o->claims_max);
	n = pwrite(ob->registry_fd, buf, sizeof buf, slot_at(slot) + OFFER_AT);
	(void)n;
}

/* Not for writing: when a file that was open for writing is closed, senders look for one of them
 * that has ended (wakeup.c), and every ingest that ends would make them do so. */
static bool open_once(struct rp_lmdb *ob)
{
	if (ob->offers_fd < 0)
		ob->offers_fd = openat(ob->files.dir_fd, "senders",
				       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return ob->offers_fd >= 0;
}

/* A slot that is written to meanwhile may be read half old and half new. Whoever uses it asks the
 * store whose it is, and how many claims that one has. */
unsigned rp_offers_read(struct rp_lmdb *ob, struct rp_offers *out)
{
	unsigned char buf[RP_REGISTRY_SLOTS * RP_REGISTRY_SLOT_BYTES];
	struct rp_reader r;
	ssize_t got = open_once(ob) ? pread(ob->offers_fd, buf, sizeof buf, 0) : 0;
	unsigned n = 0, at;

	for (at = 0; got >= at + OFFER_AT + OFFER_BYTES; at += RP_REGISTRY_SLOT_BYTES, n++) {
		r = rp_reader_of(buf + at, sizeof out->incarnation[n]);
		out->incarnation[n] = rp_get_u64(&r);
		r = rp_reader_of(buf + at + OFFER_AT, OFFER_BYTES);
		out->of[n].said_at_ms = rp_get_i64(&r);
		out->of[n].claims_max = rp_get_u32(&r);
	}
	return n;
}

bool rp_offers_is_held(struct rp_lmdb *ob, unsigned slot)
{
	struct flock l = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot_at(slot), .l_len = 1};

	/* The lock of this very process is no obstacle to itself. */
	if (ob->joined && ob->me.slot == slot)
		return true;
	return fcntl(ob->offers_fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

void rp_offers_close(struct rp_lmdb *ob)
{
	if (ob->offers_fd >= 0)
		close(ob->offers_fd);
	ob->offers_fd = -1;
}
