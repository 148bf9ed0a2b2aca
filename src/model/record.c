/* record.c - packs and unpacks stored records, with their checksums. It is the only door to
 * xxHash, and the bytes of the records here are the stored format. */

#include "model/record.h"

#include <endian.h>
#include <xxhash.h>

#include "model/record_int.h"

enum { VERSION = RP_RECORD_VERSION, SUM_BYTES = RP_RECORD_SUM_BYTES };
enum { DELIVERY_BEHIND = 1, DELIVERY_LACKS_SHIFT = 1 };
enum { ATTEMPT_LATE = 1 };
enum { RECENT_HEAD_BYTES = 9, RECENT_BYTES = 30 };
enum {
	ENDPOINT_PAUSED = 1,
	ENDPOINT_DISABLED = 2,
	ENDPOINT_BREAKER = 4,
	ENDPOINT_CONGESTED = 8,
	ENDPOINT_IN_PROVEN = 16,
};

size_t rp_record_seal(struct rp_writer *w, void *start, uint64_t seed)
{
	size_t len = (size_t)(w->at - (unsigned char *)start);

	rp_put_u64(w, XXH3_64bits_withSeed(start, len, seed));
	return w->ok ? len + SUM_BYTES : 0;
}

struct rp_reader rp_record_unseal(const void *mem, size_t size, uint64_t seed)
{
	struct rp_reader r = rp_reader_of(mem, size >= SUM_BYTES ? size - SUM_BYTES : 0);
	struct rp_reader tail;

	if (size < SUM_BYTES + 1) {
		r.ok = false;
		return r;
	}
	tail = rp_reader_of((const unsigned char *)mem + size - SUM_BYTES, SUM_BYTES);
	if (rp_get_u64(&tail) != XXH3_64bits_withSeed(mem, size - SUM_BYTES, seed) ||
	    rp_get_u8(&r) != VERSION)
		r.ok = false;
	return r;
}

size_t rp_facts_pack(const struct rp_facts *f, uint64_t seq, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);

	rp_put_u8(&w, VERSION);
	rp_put_bytes(&w, f->id, sizeof f->id);
	rp_put_u64(&w, f->endpoint);
	rp_put_i64(&w, f->accepted_at_ms);
	rp_put_i64(&w, f->not_before_at_ms);
	rp_put_i64(&w, f->expires_at_ms);
	rp_put_u64(&w, f->payload_bytes);
	rp_put_u64(&w, f->payload_hash);
	rp_put_str16(&w, f->url);
	rp_put_str16(&w, f->run_id);
	rp_put_str16(&w, f->thread_id);
	rp_put_str16(&w, f->event);
	rp_put_str16(&w, f->operation);
	rp_put_str16(&w, f->order_by);
	rp_put_str16(&w, f->headers);
	rp_put_str16(&w, f->dedupe_key);
	return rp_record_seal(&w, out, seq);
}

bool rp_facts_unpack(struct rp_facts *f, uint64_t seq, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, seq);

	rp_get_bytes(&r, f->id, sizeof f->id);
	f->endpoint = rp_get_u64(&r);
	f->accepted_at_ms = rp_get_i64(&r);
	f->not_before_at_ms = rp_get_i64(&r);
	f->expires_at_ms = rp_get_i64(&r);
	f->payload_bytes = rp_get_u64(&r);
	f->payload_hash = rp_get_u64(&r);
	f->url = rp_get_str16(&r);
	f->run_id = rp_get_str16(&r);
	f->thread_id = rp_get_str16(&r);
	f->event = rp_get_str16(&r);
	f->operation = rp_get_str16(&r);
	f->order_by = rp_get_str16(&r);
	f->headers = rp_get_str16(&r);
	f->dedupe_key = rp_get_str16(&r);
	if (!r.ok)
		memset(f, 0, sizeof *f);
	return r.ok;
}

size_t rp_delivery_pack(const struct rp_delivery *d, uint64_t seq, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);

	rp_put_u8(&w, VERSION);
	rp_put_u8(&w, (uint8_t)d->state);
	rp_put_u8(&w, (uint8_t)d->cause);
	rp_put_u8(&w,
		  (uint8_t)((d->behind ? DELIVERY_BEHIND : 0) | d->lacks << DELIVERY_LACKS_SHIFT));
	rp_put_u16(&w, (uint16_t)d->http_status);
	rp_put_u16(&w, (uint16_t)d->slot);
	rp_put_u16(&w, (uint16_t)d->failures);
	rp_put_u16(&w, (uint16_t)d->losses);
	rp_put_u32(&w, d->replays);
	rp_put_u32(&w, d->attempts);
	rp_put_u32(&w, d->claim_no);
	rp_put_u64(&w, d->endpoint);
	rp_put_i64(&w, d->due_at_ms);
	rp_put_i64(&w, d->state_at_ms);
	rp_put_i64(&w, d->budget_at_ms);
	rp_put_i64(&w, d->expires_at_ms);
	rp_put_u8(&w, (uint8_t)d->last_cause);
	rp_put_u64(&w, d->order_key);
	return rp_record_seal(&w, out, seq);
}

static uint16_t u16_at(const unsigned char *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof v);
	return be16toh(v);
}

static uint32_t u32_at(const unsigned char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return be32toh(v);
}

static uint64_t u64_at(const unsigned char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return be64toh(v);
}

/* Without a reader: its length is known, and whoever looks for an entry among a million does this
 * a million times. */
bool rp_delivery_unpack(struct rp_delivery *d, uint64_t seq, const void *mem, size_t size)
{
	const unsigned char *at = mem;

	if (size != RP_DELIVERY_BYTES || at[0] != VERSION || at[1] < RP_STATE_WAITING ||
	    at[1] > RP_STATE_DEAD || at[2] >= RP_CAUSE_MAX_ || at[64] >= RP_CAUSE_MAX_ ||
	    u64_at(at + size - SUM_BYTES) != XXH3_64bits_withSeed(mem, size - SUM_BYTES, seq)) {
		memset(d, 0, sizeof *d);
		return false;
	}
	*d = (struct rp_delivery){.state = at[1],
				  .cause = at[2],
				  .behind = (at[3] & DELIVERY_BEHIND) != 0,
				  .lacks = at[3] >> DELIVERY_LACKS_SHIFT,
				  .http_status = u16_at(at + 4),
				  .slot = u16_at(at + 6),
				  .failures = u16_at(at + 8),
				  .losses = u16_at(at + 10),
				  .replays = u32_at(at + 12),
				  .attempts = u32_at(at + 16),
				  .claim_no = u32_at(at + 20),
				  .endpoint = u64_at(at + 24),
				  .due_at_ms = (int64_t)u64_at(at + 32),
				  .state_at_ms = (int64_t)u64_at(at + 40),
				  .budget_at_ms = (int64_t)u64_at(at + 48),
				  .expires_at_ms = (int64_t)u64_at(at + 56),
				  .last_cause = at[64],
				  .order_key = u64_at(at + 65)};
	return true;
}

static uint32_t clamp_u32(int64_t v)
{
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

size_t rp_attempt_pack(const struct rp_attempt *a, uint64_t seq, void *out, size_t size)
{
	const struct rp_outcome *o = &a->outcome;
	struct rp_writer w = rp_writer_of(out, size);
	struct rp_span response = {(const char *)o->response, o->response_bytes};

	rp_put_u8(&w, VERSION);
	rp_put_u8(&w, (uint8_t)o->cause);
	rp_put_u8(&w, a->late ? ATTEMPT_LATE : 0);
	rp_put_u8(&w, (uint8_t)o->http_version);
	rp_put_u16(&w, (uint16_t)o->http_status);
	rp_put_u16(&w, (uint16_t)a->slot);
	rp_put_u32(&w, a->pid);
	rp_put_i64(&w, a->started_at_ms);
	rp_put_u64(&w, (uint64_t)o->duration_us);
	rp_put_u32(&w, o->dns_us);
	rp_put_u32(&w, o->connect_us);
	rp_put_u32(&w, o->tls_us);
	rp_put_u32(&w, o->first_byte_us);
	rp_put_u32(&w, clamp_u32(o->retry_after_ms / 1000));
	rp_put_str16(&w, rp_span_of(o->peer));
	rp_put_str16(&w, rp_span_of(o->detail));
	rp_put_str16(&w, response);
	return rp_record_seal(&w, out, seq);
}

static void get_text(struct rp_reader *r, char *out, size_t size)
{
	struct rp_span s = rp_get_str16(r);

	if (s.len >= size) {
		r->ok = false;
		return;
	}
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
}

bool rp_attempt_unpack(struct rp_attempt *a, uint64_t seq, const void *mem, size_t size)
{
	struct rp_outcome *o = &a->outcome;
	struct rp_reader r = rp_record_unseal(mem, size, seq);
	struct rp_span response;

	memset(a, 0, sizeof *a);
	o->cause = rp_get_u8(&r);
	a->late = (rp_get_u8(&r) & ATTEMPT_LATE) != 0;
	o->http_version = rp_get_u8(&r);
	o->http_status = rp_get_u16(&r);
	a->slot = rp_get_u16(&r);
	a->pid = rp_get_u32(&r);
	a->started_at_ms = rp_get_i64(&r);
	o->duration_us = (int64_t)rp_get_u64(&r);
	o->dns_us = rp_get_u32(&r);
	o->connect_us = rp_get_u32(&r);
	o->tls_us = rp_get_u32(&r);
	o->first_byte_us = rp_get_u32(&r);
	o->retry_after_ms = (int64_t)rp_get_u32(&r) * 1000;
	get_text(&r, o->peer, sizeof o->peer);
	get_text(&r, o->detail, sizeof o->detail);
	response = rp_get_str16(&r);
	if (response.len > sizeof o->response || o->cause >= RP_CAUSE_MAX_)
		r.ok = false;
	else if (response.len > 0)
		memcpy(o->response, response.ptr, response.len);
	o->response_bytes = response.len;
	if (!r.ok)
		memset(a, 0, sizeof *a);
	return r.ok;
}

static void put_counts(struct rp_writer *w, const uint64_t count[RP_STATE_COUNT])
{
	int s;

	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		rp_put_u64(w, count[s]);
}

static void get_counts(struct rp_reader *r, uint64_t count[RP_STATE_COUNT])
{
	int s;

	count[0] = 0;
	for (s = RP_STATE_WAITING; s <= RP_STATE_DEAD; s++)
		count[s] = rp_get_u64(r);
}

static void put_control(struct rp_writer *w, const struct rp_control *c)
{
	rp_put_u32(w, c->limits.in_flight);
	rp_put_u32(w, c->limits.start);
	rp_put_u32(w, c->limits.rate.count);
	rp_put_u32(w, c->limits.rate.period_ms);
	rp_put_u32(w, c->window_permille);
	rp_put_u32(w, c->bad_streak);
	rp_put_u32(w, c->recent);
	rp_put_u32(w, c->recent_bad);
	rp_put_i64(w, c->recent_at_ms);
	rp_put_u32(w, c->pauses);
	rp_put_u8(w, (uint8_t)c->cause);
	rp_put_u16(w, (uint16_t)c->http_status);
	rp_put_i64(w, c->opened_at_ms);
	rp_put_i64(w, c->probe_at_ms);
	rp_put_i64(w, c->full_at_us);
}

static void get_control(struct rp_reader *r, struct rp_control *c)
{
	c->limits.in_flight = rp_get_u32(r);
	c->limits.start = rp_get_u32(r);
	c->limits.rate.count = rp_get_u32(r);
	c->limits.rate.period_ms = rp_get_u32(r);
	c->window_permille = rp_get_u32(r);
	c->bad_streak = rp_get_u32(r);
	c->recent = rp_get_u32(r);
	c->recent_bad = rp_get_u32(r);
	c->recent_at_ms = rp_get_i64(r);
	c->pauses = rp_get_u32(r);
	c->cause = rp_get_u8(r);
	c->http_status = rp_get_u16(r);
	c->opened_at_ms = rp_get_i64(r);
	c->probe_at_ms = rp_get_i64(r);
	c->full_at_us = rp_get_i64(r);
}

static unsigned endpoint_flags(const struct rp_endpoint *e)
{
	return (e->paused ? ENDPOINT_PAUSED : 0u) | (e->disabled ? ENDPOINT_DISABLED : 0u) |
	       (e->control.limits.breaker ? ENDPOINT_BREAKER : 0u) |
	       (e->control.congested ? ENDPOINT_CONGESTED : 0u) |
	       (e->in_proven ? ENDPOINT_IN_PROVEN : 0u);
}

size_t rp_endpoint_pack(const struct rp_endpoint *e, uint64_t id, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);
	int l;

	rp_put_u8(&w, VERSION);
	rp_put_u8(&w, (uint8_t)endpoint_flags(e));
	rp_put_u8(&w, (uint8_t)e->last_cause);
	rp_put_u8(&w, (uint8_t)e->control.breaker);
	rp_put_u16(&w, (uint16_t)e->last_status);
	rp_put_u32(&w, e->streak);
	rp_put_i64(&w, e->ready_at_ms);
	rp_put_i64(&w, e->served_at_ms);
	rp_put_i64(&w, e->parked_until_ms);
	rp_put_i64(&w, e->changed_at_ms);
	rp_put_i64(&w, e->last_success_at_ms);
	rp_put_i64(&w, e->last_failure_at_ms);
	put_control(&w, &e->control);
	put_counts(&w, e->count);
	rp_put_u64(&w, e->section);
	rp_put_u64(&w, e->members);
	rp_put_u64(&w, e->n_paths);
	rp_put_u32(&w, e->clears);
	rp_put_u32(&w, e->bad_at);
	rp_put_i64(&w, e->first_due_at_ms);
	for (l = 0; l < RP_LEVELS; l++)
		rp_put_u32(&w, e->lacking[l]);
	return rp_record_seal(&w, out, id);
}

bool rp_endpoint_unpack(struct rp_endpoint *e, uint64_t id, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, id);
	unsigned flags = rp_get_u8(&r);
	int l;

	e->paused = (flags & ENDPOINT_PAUSED) != 0;
	e->disabled = (flags & ENDPOINT_DISABLED) != 0;
	e->control.limits.breaker = (flags & ENDPOINT_BREAKER) != 0;
	e->control.congested = (flags & ENDPOINT_CONGESTED) != 0;
	e->in_proven = (flags & ENDPOINT_IN_PROVEN) != 0;
	e->level = rp_level_of(id);
	e->last_cause = rp_get_u8(&r);
	e->control.breaker = rp_get_u8(&r);
	e->last_status = rp_get_u16(&r);
	e->streak = rp_get_u32(&r);
	e->ready_at_ms = rp_get_i64(&r);
	e->served_at_ms = rp_get_i64(&r);
	e->parked_until_ms = rp_get_i64(&r);
	e->changed_at_ms = rp_get_i64(&r);
	e->last_success_at_ms = rp_get_i64(&r);
	e->last_failure_at_ms = rp_get_i64(&r);
	get_control(&r, &e->control);
	get_counts(&r, e->count);
	e->section = rp_get_u64(&r);
	e->members = rp_get_u64(&r);
	e->n_paths = rp_get_u64(&r);
	e->clears = rp_get_u32(&r);
	e->bad_at = rp_get_u32(&r);
	e->first_due_at_ms = rp_get_i64(&r);
	for (l = 0; l < RP_LEVELS; l++)
		e->lacking[l] = rp_get_u32(&r);
	r.ok = r.ok && e->control.breaker <= RP_BREAKER_HALF_OPEN &&
	       e->last_cause < RP_CAUSE_MAX_ && e->control.cause < RP_CAUSE_MAX_;
	if (!r.ok)
		memset(e, 0, sizeof *e);
	return r.ok;
}

size_t rp_recent_count(size_t size)
{
	return size > RECENT_HEAD_BYTES + SUM_BYTES
		   ? (size - RECENT_HEAD_BYTES - SUM_BYTES) / RECENT_BYTES
		   : 0;
}

size_t rp_recent_pack(int64_t settled_at_ms, const struct rp_recent *row, size_t n, uint64_t number,
		      void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);
	size_t i;

	rp_put_u8(&w, VERSION);
	rp_put_i64(&w, settled_at_ms);
	for (i = 0; i < n; i++) {
		rp_put_u64(&w, row[i].seq);
		rp_put_u64(&w, row[i].endpoint);
		rp_put_u32(&w, row[i].attempt);
		rp_put_u8(&w, (uint8_t)row[i].cause);
		rp_put_u8(&w, row[i].late ? ATTEMPT_LATE : 0);
		rp_put_u16(&w, (uint16_t)row[i].http_status);
		rp_put_u16(&w, (uint16_t)row[i].slot);
		rp_put_u32(&w, row[i].duration_ms);
	}
	return rp_record_seal(&w, out, number);
}

size_t rp_recent_unpack(int64_t *settled_at_ms, struct rp_recent row[RP_RECENT_ROW_ATTEMPTS],
			uint64_t number, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, number);
	size_t n = rp_recent_count(size), i;

	if (!r.ok || n == 0 || n > RP_RECENT_ROW_ATTEMPTS)
		return 0;
	*settled_at_ms = rp_get_i64(&r);
	for (i = 0; i < n; i++) {
		memset(&row[i], 0, sizeof row[i]);
		row[i].seq = rp_get_u64(&r);
		row[i].endpoint = rp_get_u64(&r);
		row[i].attempt = rp_get_u32(&r);
		row[i].cause = rp_get_u8(&r);
		row[i].late = (rp_get_u8(&r) & ATTEMPT_LATE) != 0;
		row[i].http_status = rp_get_u16(&r);
		row[i].slot = rp_get_u16(&r);
		row[i].duration_ms = rp_get_u32(&r);
		r.ok = r.ok && row[i].cause < RP_CAUSE_MAX_;
	}
	return r.ok && r.at == r.end ? n : 0;
}

static void put_time_index(struct rp_writer *w, const struct rp_time_index *s)
{
	unsigned i;

	rp_put_u8(w, (uint8_t)s->n);
	for (i = 0; i < RP_TIME_SPANS_MAX; i++) {
		const struct rp_time_span one = i < s->n ? s->all[i] : (struct rp_time_span){0};

		rp_put_u64(w, one.first_seq);
		rp_put_i64(w, one.low_at_ms);
		rp_put_i64(w, one.high_at_ms);
		rp_put_i64(w, one.back_ms);
	}
}

static void get_time_index(struct rp_reader *r, struct rp_time_index *s)
{
	unsigned i;

	s->n = rp_get_u8(r);
	r->ok = r->ok && s->n <= RP_TIME_SPANS_MAX;
	for (i = 0; i < RP_TIME_SPANS_MAX; i++) {
		s->all[i].first_seq = rp_get_u64(r);
		s->all[i].low_at_ms = rp_get_i64(r);
		s->all[i].high_at_ms = rp_get_i64(r);
		s->all[i].back_ms = rp_get_i64(r);
		r->ok = r->ok && (i < s->n || s->all[i].first_seq == 0);
	}
}

size_t rp_head_pack(const struct rp_head *h, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);

	rp_put_u8(&w, VERSION);
	rp_put_u64(&w, h->next_seq);
	rp_put_u64(&w, h->next_endpoint);
	rp_put_u64(&w, h->accepted);
	put_counts(&w, h->count);
	rp_put_u64(&w, h->purged);
	rp_put_i64(&w, h->latest_at_ms);
	rp_put_u64(&w, h->retrying);
	put_time_index(&w, &h->times);
	return rp_record_seal(&w, out, 0);
}

bool rp_head_unpack(struct rp_head *h, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, 0);

	h->next_seq = rp_get_u64(&r);
	h->next_endpoint = rp_get_u64(&r);
	h->accepted = rp_get_u64(&r);
	get_counts(&r, h->count);
	h->purged = rp_get_u64(&r);
	h->latest_at_ms = rp_get_i64(&r);
	h->retrying = rp_get_u64(&r);
	get_time_index(&r, &h->times);
	if (!r.ok)
		memset(h, 0, sizeof *h);
	return r.ok;
}

uint32_t rp_head_layout(const void *mem, size_t size)
{
	static const size_t head_bytes[] = {0, 81, 89, 97, 226};
	uint32_t layout;

	for (layout = 1; layout < sizeof head_bytes / sizeof head_bytes[0]; layout++)
		if (size == head_bytes[layout] && rp_record_unseal(mem, size, 0).ok)
			return layout;
	return RP_LAYOUT;
}

/* Written once a commit, so without the writer's check at each step. */
size_t rp_numbers_pack(const void *numbers, size_t n, void *out, size_t size)
{
	struct rp_writer w = rp_writer_of(out, size);
	unsigned char *at = out;
	uint64_t v;
	size_t i;

	if (size < 1 + n * 8 + SUM_BYTES)
		return 0;
	*at++ = VERSION;
	for (i = 0; i < n; i++) {
		memcpy(&v, (const unsigned char *)numbers + i * 8, sizeof v);
		v = htobe64(v);
		memcpy(at + i * 8, &v, sizeof v);
	}
	w.at = at + n * 8;
	return rp_record_seal(&w, out, n);
}

bool rp_numbers_unpack(void *numbers, size_t n, const void *mem, size_t size)
{
	struct rp_reader r = rp_record_unseal(mem, size, n);
	uint64_t v;
	size_t i;

	if (!r.ok || size != 1 + n * 8 + SUM_BYTES) {
		memset(numbers, 0, n * 8);
		return false;
	}
	for (i = 0; i < n; i++) {
		memcpy(&v, r.at + i * 8, sizeof v);
		v = be64toh(v);
		memcpy((unsigned char *)numbers + i * 8, &v, sizeof v);
	}
	return true;
}

uint64_t rp_payload_hash(const void *payload, size_t n)
{
	return XXH3_64bits(payload, n);
}

struct rp_key rp_key1(uint64_t a)
{
	struct rp_key k = {{0}, 8};
	struct rp_writer w = rp_writer_of(k.bytes, sizeof k.bytes);

	rp_put_u64(&w, a);
	return k;
}

struct rp_key rp_key2(uint64_t a, uint64_t b)
{
	struct rp_key k = {{0}, 16};
	struct rp_writer w = rp_writer_of(k.bytes, sizeof k.bytes);

	rp_put_u64(&w, a);
	rp_put_u64(&w, b);
	return k;
}

struct rp_key rp_key3(uint64_t a, uint64_t b, uint64_t c)
{
	struct rp_key k = {{0}, 24};
	struct rp_writer w = rp_writer_of(k.bytes, sizeof k.bytes);

	rp_put_u64(&w, a);
	rp_put_u64(&w, b);
	rp_put_u64(&w, c);
	return k;
}

bool rp_key_read(const void *key, size_t len, uint64_t *out, size_t n)
{
	struct rp_reader r = rp_reader_of(key, len);
	size_t i;

	if (len != n * 8)
		return false;
	for (i = 0; i < n; i++)
		out[i] = rp_get_u64(&r);
	return r.ok;
}
