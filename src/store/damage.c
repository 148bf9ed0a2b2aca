#include "store/store_int.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* LMDB reads pages through memory and trusts them. A page that cannot be read is a SIGBUS; one that is damaged can lead
 * it anywhere, which is a SIGSEGV, let it write beyond its buffers, which the C library notices and aborts, or trip one of
 * its assertions. A transaction that ends so is like one that is killed:
 * nothing was published, and the lock is taken over by the next process. */

/* Inside of how many transactions this thread is: the signal comes to the thread that met the page. */
static _Thread_local volatile sig_atomic_t depth;
static volatile sig_atomic_t opened; /* outboxes; what was overwritten may be noticed long after the transaction */
static const char *program;          /* NULL: nobody asked */
static char text[RP_ERROR_TEXT_MAX];

static void tell_and_end(void)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
	_exit(RP_EXIT_DATA);
}

static void on_signal(int number)
{
	/* Nothing but the data file can be cut off or unreadable under us. A failed assertion of ours has said so. */
	if (number == SIGBUS || depth > 0 || (number == SIGABRT && opened > 0))
		tell_and_end();
	signal(number, SIG_DFL); /* it happens again on return */
}

static void on_assertion(MDB_env *env, const char *what)
{
	(void)env;
	(void)what;
	if (program != NULL)
		tell_and_end();
}

void rp_outbox_end_on_damage(const char *name)
{
	struct sigaction action = {.sa_handler = on_signal};

	program = name;
	snprintf(text, sizeof text, "%s: a file cannot be read\n", name);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGABRT, &action, NULL);
}

void rp_damage_watch(struct rp_outbox *ob)
{
	mdb_env_set_assert(ob->env, on_assertion);
	opened = opened + 1;
	if (program != NULL)
		snprintf(text, sizeof text,
			 "%s: %s/data.mdb is damaged or cannot be read: see what `runpostctl verify` says\n", program,
			 ob->dir);
}

void rp_damage_unwatch(void)
{
	opened = opened - 1;
}

void rp_damage_enter(void)
{
	depth = depth + 1;
}

void rp_damage_leave(void)
{
	depth = depth - 1;
}
