/* damage.c - turns a signal or a failed assertion within LMDB into a message and exit code 65.
 * It is apart because only a thread that is in a transaction may be judged so. */

#include "store/lmdb/store_int.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"

/* LMDB reads pages through memory and trusts them. A page that cannot be read is a SIGBUS; one
 * that is damaged can lead it anywhere, which is a SIGSEGV, let it write beyond its buffers, which
 * the C library notices and aborts, or trip one of its assertions. A transaction that ends so is
 * like one that is killed: nothing was published, and the lock is taken over by the next process.
 *
 * Only that is damage: this thread was in the outbox, and the signal is about memory. What else
 * ends a process, a failed assertion of ours in the same place included, is a crash of that
 * process alone: another one may do better. */

static const char *program; /* NULL: nobody asked */

/* Where this thread is: the signal comes to the one that met the page. */
static _Thread_local struct {
	/* of transactions, and other calls in which LMDB reads pages */
	volatile sig_atomic_t depth;
	struct rp_lmdb *volatile ob;
} in;

static void tell_and_end(const struct rp_lmdb *ob)
{
	char text[RP_ERROR_TEXT_MAX], *at = text, *end = text + sizeof text - 100;
	const char *p;

	for (p = program; *p != '\0' && at < end; p++)
		*at++ = *p;
	at = stpcpy(at, ": ");
	for (p = ob->dir; *p != '\0' && at < end; p++)
		*at++ = *p;
	stpcpy(at, "/data.mdb is damaged or cannot be read: see what `runpostctl verify` says\n");
	rp_log_last(text);
	_exit(RP_EXIT_DATA);
}

/* The kernel's word for a page, or the C library's for its heap: abort() is a signal from
 * ourselves. */
static bool is_about_memory(int number, const siginfo_t *info)
{
	if (number == SIGABRT)
		return info->si_code == SI_TKILL && info->si_pid == getpid() &&
		       !rp_assert_has_failed();
	return info->si_code > 0; /* a fault, not kill(2) */
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (in.depth > 0 && is_about_memory(number, info))
		tell_and_end(in.ob);
	signal(number, SIG_DFL);
	/* a fault happens again on return, with its address for the core file */
	if (info->si_code <= 0)
		raise(number);
}

static void on_assertion(MDB_env *env, const char *what)
{
	(void)what;
	if (program != NULL)
		tell_and_end(mdb_env_get_userctx(env));
}

void rp_outbox_end_on_damage(const char *name)
{
	static const int signals[] = {SIGBUS, SIGSEGV, SIGABRT};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	size_t i;

	program = name;
	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
}

void rp_damage_watch(struct rp_lmdb *ob)
{
	mdb_env_set_userctx(ob->env, ob);
	mdb_env_set_assert(ob->env, on_assertion);
}

void rp_damage_enter(struct rp_lmdb *ob)
{
	in.ob = ob;
	in.depth = in.depth + 1;
	rp_log_hold();
}

void rp_damage_leave(void)
{
	in.depth = in.depth - 1;
	rp_log_release();
}
