/* peers.c - other senders at the same outbox. Each obeys orders: at once, on a handle of its own,
 * or in a process of its own where the store allows one handle in a process. */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/fixture.h"
#include "conformance/fixture_int.h"

#define CLAIMS_MAX 64
#define DEADLINE_MS 20000

enum verb { JOIN = 1, BEAT, LEAVE, END, CLAIM, SETTLE, APPEND, OFFER };
struct order {
	enum verb verb;
	int64_t now_ms, boot_ms;
	unsigned limit, k;
	struct rp_limits limits, host_limits, section_limits;
	struct rp_claim_ahead ahead;
	size_t want;
	struct rp_claim claim, to; /* to.seq 0: its places are not passed on */
	enum rp_settle_kind kind;
};
struct answer {
	size_t n_claims;
	struct rp_claim claims[CLAIMS_MAX];
	bool stale;
};

static struct peer {
	struct rp_outbox *ob; /* of this process */
	pid_t pid;
	int to, from;
} peers[FX_PEERS];

static void exchange(const struct order *o, struct answer *a)
{
	struct rp_settlement s = {.seq = 0};

	if (o->verb == SETTLE)
		s = fx_settlement(&o->claim, o->kind);
	s.passes_to_seq = o->to.seq;
	s.passes_to_claim_no = o->to.claim_no;
	fx_exchange(o->want, &s, o->verb == SETTLE);
	a->stale = s.stale;
	a->n_claims = fx.n_claims;
	memcpy(a->claims, fx.claims, fx.n_claims * sizeof a->claims[0]);
}

/* With fx.ob as the peer's. */
static void obey(const struct order *o, struct answer *a)
{
	switch (o->verb) {
	case JOIN:
		fx_open();
		fx_join();
		break;
	case BEAT:
		rp_outbox_beat(fx.ob, o->now_ms, o->boot_ms);
		break;
	case OFFER:
		rp_outbox_offer(fx.ob, o->now_ms, o->want);
		break;
	case LEAVE:
		fx_must(rp_outbox_leave(fx.ob, o->now_ms, &fx.err), "leave");
		fx_close();
		break;
	case END:
		fx_close();
		break;
	case CLAIM:
	case SETTLE:
		exchange(o, a);
		break;
	case APPEND:
		fx_append(o->k, 1);
		break;
	}
}

/* --- in this process --------------------------------------------------------------------- */

static void obey_here(struct peer *p, const struct order *o, struct answer *a)
{
	static struct rp_claim claims[FX_CLAIMS_MAX];
	struct rp_outbox *ob = fx.ob;
	struct rp_sender_id me = fx.me;
	size_t n_claims = fx.n_claims;

	memcpy(claims, fx.claims, sizeof claims);
	fx.ob = p->ob;
	obey(o, a);
	p->ob = fx.ob;
	fx.ob = ob;
	fx.me = me;
	fx.n_claims = n_claims;
	memcpy(fx.claims, claims, sizeof claims);
}

/* --- in another -------------------------------------------------------------------------- */

static bool read_all(int fd, void *mem, size_t n)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char *at = mem;

	while (n > 0) {
		ssize_t got;

		if (poll(&wait, 1, DEADLINE_MS) != 1)
			return false;
		got = read(fd, at, n);
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* Never returns. An END is the end of the process. */
static void serve(int in, int out)
{
	static struct answer a;
	struct order o;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read_all(in, &o, sizeof o) && o.verb != END) {
		fx.now_ms = o.now_ms;
		fx.boot_ms = o.boot_ms;
		fx.limit = o.limit;
		fx.limits = o.limits;
		fx.host_limits = o.host_limits;
		fx.section_limits = o.section_limits;
		fx.ahead = o.ahead;
		memset(&a, 0, sizeof a);
		obey(&o, &a);
		if (write(out, &a, sizeof a) != sizeof a)
			break;
	}
	_exit(0);
}

static void start_process(struct peer *p)
{
	int to[2], from[2];

	ck_assert(pipe(to) == 0 && pipe(from) == 0);
	p->pid = fork();
	ck_assert_int_ge(p->pid, 0);
	if (p->pid == 0) {
		close(to[1]);
		close(from[0]);
		serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	p->to = to[1];
	p->from = from[0];
}

static void end_process(struct peer *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->to);
	close(p->from);
	p->pid = 0;
}

void fx_peers_start(void)
{
	size_t i;

	for (i = 0; i < FX_PEERS; i++) {
		peers[i] = (struct peer){.pid = 0};
		if (!fx_at.store->shares)
			start_process(&peers[i]);
	}
}

void fx_peers_stop(void)
{
	size_t i;

	for (i = 0; i < FX_PEERS; i++) {
		if (peers[i].pid != 0)
			end_process(&peers[i]);
		rp_outbox_close(peers[i].ob);
		peers[i].ob = NULL;
	}
}

/* --- orders ------------------------------------------------------------------------------ */

static void give(unsigned peer, struct order o, struct answer *a)
{
	struct peer *p = &peers[peer];

	o.now_ms = fx.now_ms;
	o.boot_ms = fx.boot_ms;
	o.limit = fx.limit;
	o.limits = fx.limits;
	o.host_limits = fx.host_limits;
	o.section_limits = fx.section_limits;
	o.ahead = fx.ahead;
	memset(a, 0, sizeof *a);
	if (p->pid == 0) {
		obey_here(p, &o, a);
	} else if (o.verb == END) {
		end_process(p);
	} else {
		ck_assert_int_eq(write(p->to, &o, sizeof o), sizeof o);
		ck_assert_msg(read_all(p->from, a, sizeof *a), "the other sender is gone");
	}
}

static struct answer answer;

void fx_peer_join(unsigned peer)
{
	give(peer, (struct order){.verb = JOIN}, &answer);
}

void fx_peer_beat(unsigned peer)
{
	give(peer, (struct order){.verb = BEAT}, &answer);
}

void fx_peer_leave(unsigned peer)
{
	give(peer, (struct order){.verb = LEAVE}, &answer);
}

void fx_peer_end(unsigned peer)
{
	give(peer, (struct order){.verb = END}, &answer);
}

size_t fx_peer_claim(unsigned peer, size_t want, struct rp_claim *out)
{
	ck_assert_uint_le(want + fx.ahead.want, CLAIMS_MAX);
	give(peer, (struct order){.verb = CLAIM, .want = want}, &answer);
	memcpy(out, answer.claims, answer.n_claims * sizeof out[0]);
	return answer.n_claims;
}

bool fx_peer_settle(unsigned peer, const struct rp_claim *c, enum rp_settle_kind kind)
{
	give(peer, (struct order){.verb = SETTLE, .claim = *c, .kind = kind}, &answer);
	return answer.stale;
}

bool fx_peer_pass(unsigned peer, const struct rp_claim *c, enum rp_settle_kind kind,
		  const struct rp_claim *to)
{
	give(peer, (struct order){.verb = SETTLE, .claim = *c, .kind = kind, .to = *to}, &answer);
	return answer.stale;
}

void fx_peer_offer(unsigned peer, size_t claims_max)
{
	give(peer, (struct order){.verb = OFFER, .want = claims_max}, &answer);
}

void fx_peer_append(unsigned peer, unsigned k)
{
	give(peer, (struct order){.verb = APPEND, .k = k}, &answer);
}
