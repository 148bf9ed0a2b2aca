/* Stored records. A fuzzer finds no checksums, so they are made right for it half of the time.
 * Input: kind | flags (1: as it is) | 8 bytes of number | record without its last 8 bytes. */
#include "fuzz.h"

#include <xxhash.h>

#include "model/record.h"

struct recent_row {
	int64_t settled_at_ms;
	size_t n;
	struct rp_recent row[RP_RECENT_ROW_ATTEMPTS];
};

union record {
	struct rp_facts facts;
	struct rp_delivery delivery;
	struct rp_attempt attempt;
	struct rp_endpoint endpoint;
	struct rp_head head;
	struct recent_row recent;
};

enum { FACTS, DELIVERY, ATTEMPT, ENDPOINT, HEAD, RECENT, N_KINDS };

static const size_t struct_bytes[N_KINDS] = {sizeof(struct rp_facts),   sizeof(struct rp_delivery),
					     sizeof(struct rp_attempt), sizeof(struct rp_endpoint),
					     sizeof(struct rp_head),    0 /* not promised */};

static bool unpack(int kind, union record *r, uint64_t number, const void *mem, size_t size)
{
	switch (kind) {
	case FACTS:
		return rp_facts_unpack(&r->facts, number, mem, size);
	case DELIVERY:
		return rp_delivery_unpack(&r->delivery, number, mem, size);
	case ATTEMPT:
		return rp_attempt_unpack(&r->attempt, number, mem, size);
	case ENDPOINT:
		return rp_endpoint_unpack(&r->endpoint, number, mem, size);
	case RECENT:
		r->recent.n =
		    rp_recent_unpack(&r->recent.settled_at_ms, r->recent.row, number, mem, size);
		MUST(r->recent.n == 0 || r->recent.n == rp_recent_count(size),
		     "%zu attempts, %zu by size", r->recent.n, rp_recent_count(size));
		return r->recent.n > 0;
	default:
		return rp_head_unpack(&r->head, mem, size);
	}
}

static size_t pack(int kind, const union record *r, uint64_t number, void *out, size_t size)
{
	switch (kind) {
	case FACTS:
		return rp_facts_pack(&r->facts, number, out, size);
	case DELIVERY:
		return rp_delivery_pack(&r->delivery, number, out, size);
	case ATTEMPT:
		return rp_attempt_pack(&r->attempt, number, out, size);
	case ENDPOINT:
		return rp_endpoint_pack(&r->endpoint, number, out, size);
	case RECENT:
		return rp_recent_pack(r->recent.settled_at_ms, r->recent.row, r->recent.n, number,
				      out, size);
	default:
		return rp_head_pack(&r->head, out, size);
	}
}

static void check_strings(const struct rp_facts *f, const void *mem, size_t size)
{
	const struct rp_span all[] = {f->url,       f->run_id,   f->thread_id, f->event,
				      f->operation, f->order_by, f->headers,   f->dedupe_key};
	const char *start = mem;
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		MUST(all[i].len == 0 ||
			 (all[i].ptr >= start && all[i].ptr + all[i].len <= start + size),
		     "outside");
}

static void check_ranges(int kind, const union record *r)
{
	size_t i;

	if (kind == DELIVERY)
		MUST(r->delivery.state >= RP_STATE_WAITING && r->delivery.state <= RP_STATE_DEAD &&
			 r->delivery.cause < RP_CAUSE_MAX_ &&
			 r->delivery.last_cause < RP_CAUSE_MAX_,
		     "a state or cause that there is not");
	if (kind == ATTEMPT)
		MUST(r->attempt.outcome.cause < RP_CAUSE_MAX_ &&
			 r->attempt.outcome.response_bytes <= RP_RESPONSE_HEAD_MAX &&
			 strlen(r->attempt.outcome.peer) < RP_PEER_TEXT_MAX &&
			 strlen(r->attempt.outcome.detail) < RP_DETAIL_TEXT_MAX,
		     "out of range");
	for (i = 0; kind == RECENT && i < r->recent.n; i++)
		MUST(r->recent.row[i].cause < RP_CAUSE_MAX_, "a cause that there is not");
	if (kind == ENDPOINT)
		MUST(r->endpoint.last_cause < RP_CAUSE_MAX_ &&
			 r->endpoint.control.cause < RP_CAUSE_MAX_ &&
			 r->endpoint.control.breaker <= RP_BREAKER_HALF_OPEN,
		     "a cause that there is not");
}

static bool is_zero(const void *mem, size_t size)
{
	const unsigned char *p = mem;
	size_t i;

	for (i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* What was read, packed and read again, is the same; the second packing is the same to the byte. */
static void round_trip(int kind, const union record *r, uint64_t number, size_t size)
{
	size_t room = size + 64, n, n_again;
	unsigned char *one = malloc(room), *two = malloc(room);
	union record again;

	MUST(one != NULL && two != NULL, "out of memory");
	memset(&again, 0x5a, sizeof again);
	n = pack(kind, r, number, one, room);
	MUST(n > 0 && n <= size, "%zu bytes of %zu", n, size);
	MUST(unpack(kind, &again, number, one, n), "what was packed is refused");
	n_again = pack(kind, &again, number, two, room);
	MUST(n_again == n && memcmp(one, two, n) == 0, "not the same the second time");
	MUST(pack(kind, r, number, two, n - 1) == 0, "more than there is room for");
	one[n / 2] ^= 0x10;
	MUST(!unpack(kind, &again, number, one, n) && is_zero(&again, struct_bytes[kind]),
	     "a flipped bit passes");
	one[n / 2] ^= 0x10;
	MUST(!unpack(kind, &again, number, one, n - 1), "a cut-off tail passes");
	MUST(kind == HEAD || !unpack(kind, &again, number + 1, one, n),
	     "it passes under another number");
	free(one);
	free(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	int kind = fuzz_byte(&in) % N_KINDS;
	bool as_it_is = (fuzz_byte(&in) & 1) != 0;
	uint64_t number = fuzz_number(&in, 8), sum, numbers[3];
	struct rp_span body = fuzz_rest(&in);
	size_t n = body.len + (as_it_is ? 0 : 8);
	unsigned char *mem = malloc(n > 0 ? n : 1);
	union record r;
	int i;

	MUST(mem != NULL, "out of memory");
	if (body.len > 0)
		memcpy(mem, body.ptr, body.len);
	if (!as_it_is) {
		sum = XXH3_64bits_withSeed(mem, body.len, kind == HEAD ? 0 : number);
		for (i = 0; i < 8; i++)
			mem[body.len + (size_t)i] = (unsigned char)(sum >> (56 - 8 * i));
	}
	memset(&r, 0x5a, sizeof r);
	if (unpack(kind, &r, number, mem, n)) {
		if (kind == FACTS)
			check_strings(&r.facts, mem, n);
		check_ranges(kind, &r);
		round_trip(kind, &r, number, n);
	} else {
		MUST(is_zero(&r, struct_bytes[kind]), "refused, and not zeroed");
	}
	for (i = 1; i <= 3; i++)
		if (rp_key_read(mem, n, numbers, (size_t)i))
			MUST(n == 8u * (size_t)i, "a key of %zu bytes read as %d numbers", n, i);
	free(mem);
	return 0;
}
