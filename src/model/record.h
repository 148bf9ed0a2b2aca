/* record.h - the nouns of the outbox and their bytes: structs <-> stored records, and the keys
 * they stand under.
 *
 * Layout rules: integers big-endian; byte 0 is the record's version; the last 8 bytes are XXH3-64
 * over all bytes before them, seeded with the number the record stands under, so that a flipped
 * bit, a cut-off tail and a record under the wrong key are all noticed (LMDB has no checksums). A
 * strN is a u16 length and so many bytes. Unpacking a record that is damaged or of an unknown
 * version returns false and leaves the struct zeroed; the store sets such an entry aside.
 *
 * entry (seq)            u8 1 | id 16 | u64 endpoint | i64 accepted_at | i64 not_before_at | i64
 *                        expires_at | u64 payload_bytes | u64 payload_hash | str url | str run_id |
 *                        str thread_id | str event | str operation | str order_by | str headers |
 *                        str dedupe_key | u64 sum  written once
 * delivery (seq)         u8 1 | u8 state | u8 cause | u8 flags (1 behind; 2 << level: lacks) | u16
 *                        http_status | u16 slot | u16 failures | u16 losses | u32 replays | u32
 *                        attempts | u32 claim_no | u64 endpoint | i64 due_at | i64 state_at | i64
 *                        budget_at | i64 expires_at | u8 last_cause | u64 order_key | u64 sum
 *                        changes with the state
 * attempt (seq, n)       u8 1 | u8 cause | u8 flags (1 late) | u8 http_version | u16 http_status |
 *                        u16 slot | u32 pid | i64 started_at | u64 duration_us | u32 dns, connect,
 *                        tls, first byte us | u32 retry_after_s | str peer | str detail | str
 *                        response | u64 sum
 * endpoint (id)          u8 1 | u8 flags (1 paused, 2 disabled, 4 breaker on, 8 congested, 16 in
 *                        the queue of proven hosts) | u8 last_cause | u8 breaker (0 closed, 1
 *                        open, 2 half open) | u16 last_status | u32 streak | i64 look_at | i64
 *                        served_at | i64 parked_until | i64 changed_at | i64 last_success_at |
 *                        i64 last_failure_at | u32 in_flight limit | u32 start | u32 rate count,
 *                        period_ms | u32 window_permille | u32 bad_streak | u32 recent,
 *                        recent_bad | i64 recent_at | u32 pauses | u8 opened_by | u16 its status
 *                        | i64 opened_at | i64 probe_at | i64 full_at_us | u64 waiting,
 *                        in_flight, held, delivered, dead | u64 section | u64 members | u64
 *                        n_paths | u32 clears | u32 bad_at | i64 first_due_at | 3 x u32 lacking |
 *                        u64 sum
 * recent (number)        u8 1 | i64 settled_at | n x (u64 seq | u64 endpoint | u32 attempt | u8
 *                        cause | u8 flags (1 late) | u16 http_status | u16 slot | u32 duration_ms)
 *                        | u64 sum  1 <= n <= 64
 * head ("head" in meta)  u8 1 | u64 next_seq | u64 next_endpoint | u64 accepted, waiting,
 *                        in_flight, held, delivered, dead, purged | i64 latest_at | u64 retrying |
 *                        u8 spans | 4 x (u64 first_seq | i64 low_at | i64 high_at |
 *                        i64 back_ms) | u64 sum */
#ifndef RP_MODEL_RECORD_H
#define RP_MODEL_RECORD_H

#include "base/bytes.h"
#include "model/level.h"
#include "sign/ident.h"
#include "model/outcome.h"
#include "model/time_index.h"
#include "runpost.h"

#define RP_STATE_COUNT 6 /* counters are indexed by enum rp_state; [0] is unused */

/* The fixed facts of an entry. Spans point into the record they were unpacked from. */
struct rp_facts {
	unsigned char id[RP_ID_BYTES];
	uint64_t endpoint;
	int64_t accepted_at_ms, not_before_at_ms, expires_at_ms;
	uint64_t payload_bytes, payload_hash;
	struct rp_span url, run_id;
	struct rp_span thread_id, event; /* of the Run: its thread, its status */
	struct rp_span operation, order_by, headers, dedupe_key;
};

/* The part that changes. */
struct rp_delivery {
	enum rp_state state;
	enum rp_cause cause;      /* DEAD: why; WAITING: RP_CAUSE_NONE or the last attempt's */
	enum rp_cause last_cause; /* of the last settled attempt */
	unsigned http_status;     /* of the last settled attempt */
	unsigned slot;            /* IN_FLIGHT: the sender's */
	unsigned failures;        /* of the current retry budget */
	unsigned losses;          /* attempts whose sender died, in a row */
	uint32_t replays;
	uint32_t attempts; /* ever begun; numbers the attempt log */
	uint32_t claim_no; /* grows with every claim; the fence */
	uint64_t endpoint;
	int64_t due_at_ms;    /* WAITING */
	int64_t state_at_ms;  /* when it entered its state */
	int64_t budget_at_ms; /* when the current retry budget began: acceptance or replay */
	int64_t expires_at_ms;
	uint64_t order_key; /* what its order_by hashes to; 0: it has none */
	bool behind;        /* WAITING, HELD: another entry with its order_key goes first */
	/* IN_FLIGHT: the levels on which it has no place yet, a bit each (RP_LACKS) */
	unsigned lacks;
};

struct rp_attempt {
	struct rp_outcome outcome;
	bool late;     /* the claim had been lost when the result came */
	unsigned slot; /* of the sender */
	uint32_t pid;
	int64_t started_at_ms;
};

#define RP_NEVER INT64_MAX

#define RP_LACKS(level) (1u << (level))

/* A path of a URL, or a section or host that counts for all paths in it (model/level.h). */
struct rp_endpoint {
	enum rp_level level; /* its number says so (rp_level_of) */
	/* PATH: the number of the section that counts for it as well; 0: none */
	uint64_t section;
	/* SECTION: paths in it; HOST: paths and sections */
	uint64_t members;
	uint64_t n_paths; /* HOST: how many paths it has ever had; see rp_level_new_path */
	/* HOST: how often a series of bad outcomes has ended, by an answer or because the breaker
	 * was switched off. PATH: that number, plus 1, when the path was last counted as bad; 0:
	 * never */
	uint32_t clears, bad_at;
	/* HOST: in which of the two ready queues of hosts it is (schedule.h) */
	bool in_proven;
	bool paused;   /* by an operator */
	bool disabled; /* by the receiver: 410 */
	enum rp_cause last_cause;
	unsigned last_status;
	uint32_t streak;     /* failures since the last success */
	int64_t ready_at_ms; /* its key in its ready queue; RP_NEVER: it is not in it */
	/* PATH: when the first of its entries that wait in front is due; RP_NEVER: there is none */
	int64_t first_due_at_ms;
	/* when an exchange last claimed from it: it queues up behind the others again */
	int64_t served_at_ms;
	/* nothing is claimed before: no signing key is valid, or no local port free; 0: not parked
	 */
	int64_t parked_until_ms;
	int64_t changed_at_ms; /* when paused or disabled changed */
	int64_t last_success_at_ms, last_failure_at_ms;
	struct rp_control control;
	uint64_t count[RP_STATE_COUNT];
	/* of those in flight: how many have no place on each level */
	uint32_t lacking[RP_LEVELS];
};

/* How many places on its own level are taken. */
static inline uint64_t rp_endpoint_in_use(const struct rp_endpoint *r)
{
	uint64_t in_flight = r->count[RP_STATE_IN_FLIGHT];

	return in_flight > r->lacking[r->level] ? in_flight - r->lacking[r->level] : 0;
}

/* An attempt in the log of recent ones. */
struct rp_recent {
	/* counts the attempts of this outbox: its row's, and its place in the row */
	uint64_t number;
	int64_t settled_at_ms; /* of its row */
	/* the entry, which may have been removed since, and so the endpoint */
	uint64_t seq, endpoint;
	uint32_t attempt;
	enum rp_cause cause; /* RP_CAUSE_NONE: delivered */
	unsigned http_status;
	uint32_t duration_ms; /* 0 for sender_lost: nobody knows */
	unsigned slot;        /* of the sender */
	bool late;
};

struct rp_head {
	uint64_t next_seq, next_endpoint;
	uint64_t accepted, purged;
	uint64_t count[RP_STATE_COUNT];
	/* by the clocks of all who wrote; ahead of ours: the clock was set back
	 * (store/lmdb/clock.c) */
	int64_t latest_at_ms;
	uint64_t retrying; /* WAITING with an attempt behind them */
	struct rp_time_index times;
};

#define RP_DELIVERY_BYTES 81
#define RP_ENDPOINT_BYTES 229
#define RP_HEAD_BYTES 226
#define RP_ATTEMPT_BYTES_MAX 640
#define RP_RECENT_ROW_ATTEMPTS 64
#define RP_RECENT_BYTES_MAX 2014 /* a row of as many stays inside a leaf page */
#define RP_FACTS_BYTES_MAX (16 << 10)

/* Packing returns the number of bytes written, 0 when `size` is too small. */
size_t rp_facts_pack(const struct rp_facts *f, uint64_t seq, void *out, size_t size);
bool rp_facts_unpack(struct rp_facts *f, uint64_t seq, const void *mem, size_t size);
size_t rp_delivery_pack(const struct rp_delivery *d, uint64_t seq, void *out, size_t size);
bool rp_delivery_unpack(struct rp_delivery *d, uint64_t seq, const void *mem, size_t size);
size_t rp_attempt_pack(const struct rp_attempt *a, uint64_t seq, void *out, size_t size);
bool rp_attempt_unpack(struct rp_attempt *a, uint64_t seq, const void *mem, size_t size);
size_t rp_endpoint_pack(const struct rp_endpoint *e, uint64_t id, void *out, size_t size);
bool rp_endpoint_unpack(struct rp_endpoint *e, uint64_t id, const void *mem, size_t size);
/* A row of n attempts; number and settled_at of each are not in it. rp_recent_unpack fills row[]
 * (without these) and returns n, 0 when the row is damaged. rp_recent_count: n by the size
 * alone. */
size_t rp_recent_pack(int64_t settled_at_ms, const struct rp_recent *row, size_t n, uint64_t number,
		      void *out, size_t size);
size_t rp_recent_unpack(int64_t *settled_at_ms, struct rp_recent row[RP_RECENT_ROW_ATTEMPTS],
			uint64_t number, const void *mem, size_t size);
size_t rp_recent_count(size_t size);
size_t rp_head_pack(const struct rp_head *h, void *out, size_t size);
bool rp_head_unpack(struct rp_head *h, const void *mem, size_t size);

/* The layout of the tables and records of an outbox; docs/formats.md tells what each number
 * means. */
#define RP_LAYOUT 6
/* Which one a head without a number of its layout was written in: 1 to 4 had none, but each had a
 * longer head than the one before it. A damaged head counts as one of RP_LAYOUT. */
uint32_t rp_head_layout(const void *mem, size_t size);

/* Records that are nothing but n numbers of 64 bits: u8 1 | u64 each | u64 sum. */
size_t rp_numbers_pack(const void *numbers, size_t n, void *out, size_t size);
bool rp_numbers_unpack(void *numbers, size_t n, const void *mem, size_t size);

/* The hash kept in rp_facts.payload_hash, fed chunk by chunk or in one go. */
uint64_t rp_payload_hash(const void *payload, size_t n);

/* A composite key of up to three big-endian numbers. */
struct rp_key {
	unsigned char bytes[24];
	size_t len;
};
struct rp_key rp_key1(uint64_t a);
struct rp_key rp_key2(uint64_t a, uint64_t b);
struct rp_key rp_key3(uint64_t a, uint64_t b, uint64_t c);
/* Reads n numbers back; false: the key has another length. */
bool rp_key_read(const void *key, size_t len, uint64_t *out, size_t n);

#endif
