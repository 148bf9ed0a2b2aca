#include "work/committer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BULK_ENTRIES 256
#define BULK_PAUSE_US 100

enum state { IDLE, BEGUN, ENDED };

struct rp_committer {
	struct rp_appender to;
	const struct rp_sys *sys;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int ended_fd;
	/* all under the lock */
	enum state state;
	bool stop;
	struct rp_batch *batch; /* BEGUN */
	enum rp_err rc;         /* ENDED */
	struct rp_error err;
};

void rp_committer_pause(size_t n_entries)
{
	if (n_entries >= BULK_ENTRIES)
		usleep(BULK_PAUSE_US);
}

static struct rp_batch *next_batch(struct rp_committer *c)
{
	struct rp_batch *batch;

	pthread_mutex_lock(&c->lock);
	while (c->state != BEGUN && !c->stop)
		pthread_cond_wait(&c->changed, &c->lock);
	batch = c->state == BEGUN ? c->batch : NULL;
	pthread_mutex_unlock(&c->lock);
	return batch;
}

static void tell_end(struct rp_committer *c, enum rp_err rc, const struct rp_error *err)
{
	const uint64_t one = 1;
	ssize_t did;

	pthread_mutex_lock(&c->lock);
	c->state = ENDED;
	c->rc = rc;
	c->err = *err;
	pthread_mutex_unlock(&c->lock);
	did = write(c->ended_fd, &one, sizeof one); /* it is read before the next: it cannot be full */
	assert(did == sizeof one);
	(void)did;
}

static void *commit_batches(void *arg)
{
	struct rp_committer *c = arg;
	struct rp_batch *batch;

	while ((batch = next_batch(c)) != NULL) {
		struct rp_error err = {0};
		enum rp_err rc = rp_batch_append(batch, 0, batch->n, &c->to, rp_sys_wall_ms(c->sys), &err);
		size_t n = batch->n_entries;

		tell_end(c, rc, &err);
		rp_committer_pause(n);
	}
	return NULL;
}

/* Signals are for the owner, who waits for them. */
static int start_thread(struct rp_committer *c)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&c->thread, NULL, commit_batches, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

enum rp_err rp_committer_start(const struct rp_appender *to, const struct rp_sys *sys, struct rp_committer **out,
			       struct rp_error *err)
{
	struct rp_committer *c = calloc(1, sizeof *c);

	*out = NULL;
	if (c == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	c->to = *to;
	c->sys = sys;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	c->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (c->ended_fd >= 0 && start_thread(c) == 0) {
		*out = c;
		return RP_OK;
	}
	if (c->ended_fd >= 0)
		close(c->ended_fd);
	free(c);
	return rp_fail(err, RP_ERR_NOMEM, "cannot start a thread: out of memory, threads or descriptors");
}

void rp_committer_stop(struct rp_committer *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	close(c->ended_fd);
	free(c);
}

void rp_committer_begin(struct rp_committer *c, struct rp_batch *batch)
{
	pthread_mutex_lock(&c->lock);
	assert(c->state == IDLE);
	c->state = BEGUN;
	c->batch = batch;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

int rp_committer_fd(const struct rp_committer *c)
{
	return c->ended_fd;
}

enum rp_err rp_committer_end(struct rp_committer *c, struct rp_error *err)
{
	uint64_t n;
	enum rp_err rc;

	while (read(c->ended_fd, &n, sizeof n) < 0)
		assert(errno == EINTR);
	pthread_mutex_lock(&c->lock);
	assert(c->state == ENDED);
	c->state = IDLE;
	rc = c->rc;
	if (rc != RP_OK && err != NULL)
		*err = c->err;
	pthread_mutex_unlock(&c->lock);
	return rc;
}
