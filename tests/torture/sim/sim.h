/* sim.h - the sender, the retries, the endpoint control and the store, all of them the real ones,
 * in one process under a simulated clock, network and fate.
 *
 * One seed decides everything: what comes in and when, how receivers behave, who crashes in the
 * middle of which call, who stands still for longer than its lease, how the clock jumps, what
 * operators do. Time is not waited for: it jumps to the next thing that happens, so that hours
 * pass in a second. A run has two halves. In the first everything goes wrong, and after every step
 * it is checked that nothing happened that must never happen. Then all faults stop, and everything
 * that was accepted must drain.
 *
 * How several senders live in one process: LMDB wants an environment opened once, so the handles
 * of the senders are copies of one, each with locks and descriptors of its own (those are what
 * tells a dead sender from a living one). A crash is a handle through which nothing gets any more
 * (sim_store.c), and whose descriptors are closed.
 *
 *   sim_main.c   seeds, arguments, results       sim_world.c  what happens, and when
 *   sim_store.c  the door between sender and store: crashes, and the model is told what was
 *                committed
 *   sim_net.c    receivers  sim_model.c  what is known about each entry, and the
 * checks */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "deliver/sender.h"
#include "store/lmdb/handle.h"

enum { N_HOSTS = 6, N_SECTIONS = 8, N_EPS = 44, SENDERS_MAX = 5, ORDERS_PER_EP = 4 };
enum { WIRE_TIMES = 256, UNPROVEN_MAX = 1024 };

#define NOBODY (-1)
#define RETRY_AFTER_MAX_MS INT64_C(1800000)
#define HOUR_MS INT64_C(3600000)

/* --- what is known ------------------------------------------------------------------------ */

struct sim_entry {
	unsigned char id[RP_ID_BYTES];
	unsigned ep, order; /* order 0: none */
	uint64_t payload_seed;
	size_t payload_bytes;
	int64_t due_at_ms; /* it must not be claimed before, */
	/* ... which was decided then; 0: a time that was asked for, not a delay */
	int64_t set_at_ms;
	int64_t expires_at_ms;
	/* as far as the model was told; an entry may have died without an attempt */
	enum rp_state state;
	int holder;     /* the birth number of the sender whose claim is valid, or NOBODY */
	size_t held_at; /* where it stands among those with a holder */
	uint32_t claim_no, attempts, last_started;
	unsigned failures, losses, spent; /* spent: attempts begun in this budget */
	unsigned n_2xx, n_2xx_allowed;
	bool probes[RP_LEVELS];  /* its claim is the one that an open breaker lets through */
	unsigned lacks;          /* the levels on which its claim has no place (RP_LACKS) */
	bool begun, ended;       /* the request of its claim */
	int64_t decided_from_ms; /* of the last outcome told: no retry before, */
	int64_t decided_to_ms;   /* ... and none planned after */
	uint32_t told;           /* the attempt it was of */
	bool told_gone;          /* it was a 410 */
	bool purged;
	bool handed;            /* an append made the claim, and its sender has not taken it, */
	int64_t handed_boot_ms; /* ... since then */
};

enum sim_mood {
	MOOD_WELL,
	MOOD_SLOW,
	MOOD_BUSY,
	MOOD_FAILS,
	MOOD_HANGS,
	MOOD_REFUSES,
	MOOD_FLAKY,
	MOOD_GONE,
	N_MOODS
};

/* What must hold on one level of a receiver: a path, a section that shares its limits, a host. */
struct sim_level {
	char name[80];
	/* the configuration in force */
	unsigned in_flight, rate_count, rate_period_ms;
	bool breaker;
	/* of all configurations since something was claimed by an exchange, which asked */
	unsigned in_flight_most;
	bool rate_free;
	/* what must hold */
	uint64_t id; /* as last heard; another number is another record, which knows nothing */
	bool paused, disabled, settled_any;
	bool open;                          /* its breaker */
	bool half_open;                     /* its probe was claimed */
	unsigned n_opened, n_opened_before; /* in a row; before it was switched off */
	int64_t probe_at_ms;
	unsigned n_held, n_lacking;     /* claims on it that are valid; of these, without a place */
	unsigned was_in_use;            /* before an exchange: the places */
	int64_t wire_times[WIRE_TIMES]; /* when requests began: a ring */
	unsigned n_wire_times;
};

struct sim_host {
	struct sim_level level;
	enum sim_mood mood;      /* of all its paths; WELL: each has its own */
	unsigned n_bad;          /* paths that failed, without an answer between, */
	unsigned n_bad_since;    /* ... and of these, since its breaker was last switched off */
	int64_t delivered_at_ms; /* the last time; 0: never */
};

/* A section of the configuration. Its limits count for each path, or are shared. */
struct sim_section {
	struct sim_level level;
	char url[64];
	unsigned host, first_ep, n_eps, n_names;
	unsigned in_flight, rate_count, rate_period_ms, attempts, factor, n_schedule;
	int64_t base_ms, cap_ms, timeout_ms, schedule_ms[8];
	bool breaker, shares, is_signed;
	unsigned attempts_min, attempts_max; /* of all configurations so far */
};

struct sim_ep {
	struct sim_level level;
	char url[64];
	unsigned section;
	enum sim_mood mood;
	bool in_section; /* of those that share: as soon as something was claimed from it */
	bool bad;        /* counted in n_bad of its host */
	int64_t parked_until_ms;
};

struct sim_request {
	const struct rp_request *request;
	uint64_t seq;
	uint32_t claim_no; /* of the claim that it was begun for */
	int64_t done_boot_ms;
	bool done, reached; /* reached: the receiver took it, whatever we come to know */
	struct rp_outcome outcome;
	/* of the policy it was begun with */
	int64_t base_ms, cap_ms, schedule_ms[8];
	unsigned factor, n_schedule;
};

struct sim_actor {
	int birth;                     /* every sender ever started has its own */
	struct rp_transport transport; /* first of the network's part; see actor_of */
	struct rp_outbox *ob;
	struct rp_sender *sender;
	bool alive;
	int64_t step_at_ms;   /* wall clock when its step began, which is what it goes by */
	bool stood;           /* within this step: what it begins in it may be begun late */
	bool told_to_stop;    /* by an operator, */
	bool stopping;        /* ... and a step of it is over since */
	bool crashed;         /* nothing gets through its handle any more */
	int crash_in;         /* calls of the store from now; 0: none is planned */
	bool crash_after;     /* ... once the call has done its work */
	int64_t wake_boot_ms; /* when its loop goes on */
	int64_t standing_until_boot_ms;
	int64_t began_standing_boot_ms, last_beat_boot_ms;
	struct sim_request *requests;
	size_t n_requests, cap_requests;
	unsigned places; /* requests that it may make at once */
	struct sim_unproven {
		uint64_t seq;
		uint32_t claim_no;
	} unproven[UNPROVEN_MAX]; /* its claims on hosts that had not proven themselves */
	unsigned n_unproven;
	/* Paths of requests of its own that have ended, whose entries were purged before it could
	 * say who has their places now. */
	unsigned orphaned[16], n_orphaned;
};

struct sim_counts {
	uint64_t steps, entries, attempts, delivered, crashes, stands, clock_steps, reloads,
	    verifies, operator_deeds;
	uint64_t duplicates, hosts_opened, paths_opened, handed, handed_back;
	uint64_t ahead, passed_on; /* claims ahead of their places; of these, begun as heirs */
};

struct sim {
	uint64_t seed, random, trace;
	int64_t boot_ms, offset_ms; /* wall = boot + offset */
	int64_t back_ms;            /* steps of the clock back, together */
	bool faults;                /* first half */
	char dir[256];
	struct rp_outbox *base; /* of ingest and operators */
	struct rp_settings *settings;
	struct sim_actor actors[SENDERS_MAX];
	struct sim_host hosts[N_HOSTS];
	struct sim_section sections[N_SECTIONS];
	struct sim_ep eps[N_EPS];
	struct sim_entry *entries; /* by seq; [0] is unused */
	uint64_t n_entries, cap_entries, n_removed, n_expired;
	uint64_t *held; /* entries with a holder */
	size_t n_held, cap_held;
	int births;
	int64_t keep_ms, lease_ms;
	struct sim_counts counts;
	bool verbose;
};
extern struct sim sim;

/* --- chance and time ---------------------------------------------------------------------- */

uint64_t sim_random(void);
static inline uint64_t sim_below(uint64_t n)
{
	return n > 0 ? sim_random() % n : 0;
}
static inline bool sim_chance(unsigned percent)
{
	return sim_below(100) < percent;
}
/* Mostly short, sometimes long. */
int64_t sim_about_ms(int64_t mean_ms);
static inline int64_t sim_wall_ms(void)
{
	return sim.boot_ms + sim.offset_ms;
}
extern const struct rp_sys sim_sys;

/* Everything that happens goes into a hash: the same seed must give the same one. */
void sim_note(const char *what, uint64_t a, uint64_t b);

/* A promise is broken: says so, with the seed, and ends the process. */
_Noreturn void sim_broken(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define MUST(condition, ...)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			sim_broken(__FILE__, __LINE__, __VA_ARGS__);                               \
	} while (0)
void sim_must(enum rp_err e, const struct rp_error *err, const char *what);

/* --- sim_world.c -------------------------------------------------------------------------- */

void sim_run(uint64_t seed, double hours, const char *root);

/* --- sim_store.c -------------------------------------------------------------------------- */

struct rp_outbox *sim_handle_new(void);
void sim_handle_free(struct rp_outbox *ob);

/* --- sim_net.c ---------------------------------------------------------------------------- */

void sim_net_init(struct sim_actor *a);
/* The sender is gone. What had reached a receiver stays done. */
void sim_net_drop(struct sim_actor *a);
int64_t sim_net_next_boot_ms(const struct sim_actor *a); /* INT64_MAX: nothing is coming */

/* --- sim_model.c -------------------------------------------------------------------------- */

void sim_model_added(uint64_t seq, const struct sim_entry *e);
/* Before an exchange: how many the sender wants. */
void sim_model_wants(const struct sim_actor *a, const struct rp_exchange *x);
void sim_model_settled(struct sim_actor *a, const struct rp_settlement *s, int64_t now_at_ms);
void sim_model_claimed(struct sim_actor *a, const struct rp_claim *c, int64_t now_at_ms);
/* An append has claimed the entry for a sender. */
void sim_model_handed(uint64_t seq, int64_t now_at_ms);
/* The sender has taken it. */
void sim_model_taken(const struct sim_actor *a, const struct rp_claim *c);
/* A step of the sender is over, which began at this time. */
void sim_model_stepped(const struct sim_actor *a, int64_t began_boot_ms);
/* The sender has learned that it had lost the claim. */
void sim_model_stale(struct sim_actor *a, const struct rp_claim *c);
void sim_model_started(struct sim_actor *a, struct sim_request *r);
/* Its sender hears what came of it. */
void sim_model_ended(const struct sim_request *r);
/* After a call that may have returned claims of senders that are dead, leaving, or stand still. */
void sim_model_returned(const struct sim_actor *leaving);
void sim_model_changed(uint64_t seq, enum rp_change verb, enum rp_changed result);
void sim_model_clock_stepped(int64_t by_ms);
void sim_model_endpoints_gone(void); /* after removals: an endpoint goes with its last entry */
void sim_check_step(void);           /* cheap, after every step */
void sim_check_all(void);            /* verify, and every entry against the model */
void sim_check_drained(void);
void sim_payload(uint64_t seed, char *out, size_t n);
bool sim_delivery(uint64_t seq, struct rp_delivery *d); /* false: removed */
/* The number of a path, section or host; 0: there is none. */
uint64_t sim_level_id(const struct sim_level *level, enum rp_level which);
/* Those that an entry of this path counts on. NULL: its section shares nothing. */
struct sim_level *sim_level_of(struct sim_ep *ep, enum rp_level which);
static inline struct sim_section *sim_section_of(const struct sim_ep *ep)
{
	return &sim.sections[ep->section];
}
static inline struct sim_host *sim_host_of(const struct sim_ep *ep)
{
	return &sim.hosts[sim_section_of(ep)->host];
}
/* Its paths are in the section no more: it shares nothing, or has another name. */
void sim_section_empty(struct sim_section *section);

#endif
