/* index.c - keeps the row that tells of an entry's state. The rule which row that is stands here
 * alone. */

#include "store/lmdb/index.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "store/lmdb/row.h"

enum rp_table rp_index_table(enum rp_state state)
{
	switch (state) {
	case RP_STATE_WAITING:
		return RP_T_QUEUE;
	case RP_STATE_IN_FLIGHT:
		return RP_T_CLAIM;
	case RP_STATE_DELIVERED:
		return RP_T_DONE;
	case RP_STATE_DEAD:
		return RP_T_DEAD;
	case RP_STATE_HELD:
		break;
	}
	return RP_T_HELD;
}

bool rp_index_row(uint64_t seq, const struct rp_delivery *d, enum rp_table *table,
		  struct rp_key *key)
{
	*table = rp_index_table(d->state);
	if (d->state == RP_STATE_WAITING)
		*key = rp_key3(d->endpoint, (uint64_t)d->due_at_ms, seq);
	else if (d->state == RP_STATE_IN_FLIGHT)
		*key = rp_key2(d->slot, seq);
	else
		*key = rp_key2((uint64_t)d->state_at_ms, seq);
	return d->state != RP_STATE_WAITING || !d->behind;
}

bool rp_index_is_in_queue(const struct rp_delivery *d, const uint64_t key[3])
{
	return d->state == RP_STATE_WAITING && !d->behind && d->endpoint == key[0] &&
	       (uint64_t)d->due_at_ms == key[1];
}

void rp_entry_put_why(const struct rp_delivery *d, unsigned char out[RP_WHY_BYTES])
{
	struct rp_writer w = rp_writer_of(out, RP_WHY_BYTES);

	rp_put_u64(&w, d->endpoint);
	rp_put_u8(&w, (uint8_t)d->cause);
	rp_put_u8(&w, (uint8_t)d->last_cause);
	rp_put_u16(&w, (uint16_t)d->http_status);
}

bool rp_entry_read_why(const MDB_val *v, struct rp_brief *out)
{
	const unsigned char *at = v->mv_data;
	uint64_t endpoint;

	/* Without a reader: `runpostctl dead` does this a million times. */
	if (v->mv_size != RP_WHY_BYTES)
		return false;
	memcpy(&endpoint, at, sizeof endpoint);
	out->endpoint = be64toh(endpoint);
	out->cause = at[8];
	out->last_cause = at[9];
	out->http_status = (unsigned)at[10] << 8 | at[11];
	return true;
}

#define CLAIM_HANDED 0x80u

void rp_index_claim_row(const struct rp_delivery *d, bool handed,
			unsigned char out[RP_CLAIM_ROW_BYTES])
{
	struct rp_writer w = rp_writer_of(out, RP_CLAIM_ROW_BYTES);

	rp_put_u32(&w, d->claim_no);
	rp_put_u8(&w, (uint8_t)(d->lacks | (handed ? CLAIM_HANDED : 0)));
}

bool rp_index_is_handed(const MDB_val *v)
{
	return v->mv_size == RP_CLAIM_ROW_BYTES &&
	       (((const unsigned char *)v->mv_data)[RP_CLAIM_ROW_BYTES - 1] & CLAIM_HANDED) != 0;
}

enum rp_err rp_index_remove(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			    struct rp_error *err)
{
	enum rp_table table;
	struct rp_key key;
	enum rp_err e;

	if (!rp_index_row(seq, d, &table, &key))
		return RP_OK;
	e = rp_row_del(t, table, key, err);
	if (e != RP_ERR_NOTFOUND)
		return e;
	rp_log(RP_LOG_ERROR, "damage", "seq=%" PRIu64 " what=index_row state=%s", seq,
	       rp_state_name(d->state));
	return RP_OK;
}

enum rp_err rp_index_put(struct rp_txn *t, uint64_t seq, const struct rp_delivery *d,
			 struct rp_error *err)
{
	unsigned char value[RP_WHY_BYTES];
	enum rp_table table;
	struct rp_key key;
	size_t n = 0;

	if (!rp_index_row(seq, d, &table, &key))
		return RP_OK;
	if (d->state == RP_STATE_IN_FLIGHT) {
		rp_index_claim_row(d, false, value);
		n = RP_CLAIM_ROW_BYTES;
	} else if (d->state == RP_STATE_DEAD) {
		rp_entry_put_why(d, value);
		n = RP_WHY_BYTES;
	}
	return rp_row_put(t, table, key, value, n, 0, err);
}
