/* body.c - cuts payloads into rows that fill pages. It is apart because it must guess where LMDB
 * will put a row; a wrong guess costs space and nothing else. */

#include "store/lmdb/tree/page.h"
#include "store/lmdb/store_int.h"

/* How a page of table `body` fills. A leaf has all behind its header for rows: 4,080 bytes where
 * pages have 4 KiB. A row takes its payload bytes, the key of 16 bytes, a header of 8 and a
 * pointer of 2, and is padded to even. A row that takes more than half of a leaf (me_nodemax;
 * there: whose value is longer than 2,014 bytes) lies on overflow pages of its own. A value fills
 * one of these and no more, since runs of several pages are searched for in the whole free list:
 * after deletes that cost 15 ms a commit (measured with 64 KB values). Whoever reads must not
 * expect chunks of these sizes: they are those of the machine that made the file, and of the
 * program that wrote them. */
#define ROW_BYTES 26
/* payloads longer than so many of the largest rows of a leaf get pages of their own */
#define LEAF_PAYLOAD_CHUNKS 4
#define CHUNK_WORTH_IT 128 /* no smaller piece is cut off just to fill a page */

/* Of a leaf's rows, and of a value that has a page to itself. */
static size_t bytes_on_page(const struct rp_lmdb *ob)
{
	return ob->page_bytes - RP_PAGE_HEADER;
}

static size_t leaf_chunk_max(const struct rp_lmdb *ob)
{
	return bytes_on_page(ob) / 2 - ROW_BYTES;
}

/* LMDB hands out bytes of a page from its end to its beginning, so a row that stands right before
 * the last one is on the same page, and any other has begun a new one. `body_room` is a guess that
 * costs space when it is wrong and nothing else: a chunk that does not fit begins a page, which
 * shows here. */
static void note_place(struct rp_lmdb *ob, const void *at, size_t n)
{
	uintptr_t place = (uintptr_t)at;
	size_t bytes = (n + ROW_BYTES + 1) & ~(size_t)1;
	bool same_page =
	    /* the pointers grow from the other end */
	    ob->body_at == 0 || ob->body_at - place == bytes - 2;

	if (!same_page || ob->body_room < bytes)
		ob->body_room = bytes_on_page(ob);
	ob->body_room -= bytes;
	ob->body_at = place;
}

/* The next chunk fills the last page up, if that is worth a row. */
static size_t leaf_chunk(const struct rp_lmdb *ob, size_t left)
{
	size_t max = leaf_chunk_max(ob), n = left < max ? left : max;
	size_t room = ob->body_room > ROW_BYTES ? ob->body_room - ROW_BYTES : 0;

	return room < n && room >= CHUNK_WORTH_IT ? room : n;
}

enum rp_err rp_body_put(struct rp_txn *t, uint64_t seq, struct rp_span payload,
			struct rp_error *err)
{
	bool leaf = payload.len <= LEAF_PAYLOAD_CHUNKS * leaf_chunk_max(t->ob);
	uint64_t chunk = 0;
	size_t at, n;
	int rc = 0;

	for (at = 0; at < payload.len && rc == 0; at += n) {
		struct rp_key key = rp_key2(seq, chunk++);
		MDB_val v;

		n = payload.len - at;
		if (leaf)
			n = leaf_chunk(t->ob, n);
		else if (n > bytes_on_page(t->ob))
			n = bytes_on_page(t->ob);
		v = (MDB_val){n, NULL};
		rc = rp_row_append(t, RP_T_BODY, &key, &v, MDB_RESERVE);
		if (rc != 0)
			break;
		memcpy(v.mv_data, payload.ptr + at, n);
		if (leaf)
			note_place(t->ob, v.mv_data, n);
	}
	return rp_db_fail(t->ob, rc, "body", err);
}
