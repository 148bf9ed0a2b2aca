#include "work/turner.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum turner_state { IDLE, BEGUN, OVER, CLOSING };

struct rp_turner {
	struct rp_outbox *ob;
	pthread_t thread;
	pthread_mutex_t lock; /* of state; the rest is handed over with it */
	pthread_cond_t changed;
	enum turner_state state;
	int event_fd;
	int64_t now_at_ms;
	struct rp_turn *turn;
	enum rp_err e;
	struct rp_error err;
};

static void set_state(struct rp_turner *t, enum turner_state state)
{
	t->state = state;
	pthread_cond_broadcast(&t->changed);
}

static void *take_turns(void *arg)
{
	struct rp_turner *t = arg;

	pthread_mutex_lock(&t->lock);
	while (t->state != CLOSING) {
		if (t->state != BEGUN) {
			pthread_cond_wait(&t->changed, &t->lock);
			continue;
		}
		pthread_mutex_unlock(&t->lock);
		t->e = rp_outbox_turn(t->ob, t->now_at_ms, t->turn, &t->err);
		pthread_mutex_lock(&t->lock);
		set_state(t, OVER);
		eventfd_write(t->event_fd, 1);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

enum rp_err rp_turner_open(struct rp_outbox *ob, struct rp_turner **out, struct rp_error *err)
{
	struct rp_turner *t = calloc(1, sizeof *t);
	int rc;

	*out = NULL;
	if (t == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	t->ob = ob;
	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event_fd < 0) {
		free(t);
		return rp_fail_sys(err, RP_ERR_IO, errno, "eventfd");
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	rc = pthread_create(&t->thread, NULL, take_turns, t);
	if (rc != 0) {
		close(t->event_fd);
		free(t);
		return rp_fail_sys(err, RP_ERR_IO, rc, "a thread for the outbox");
	}
	*out = t;
	return RP_OK;
}

void rp_turner_close(struct rp_turner *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	assert(t->state == IDLE);
	set_state(t, CLOSING);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	close(t->event_fd);
	free(t);
}

void rp_turner_begin(struct rp_turner *t, int64_t now_at_ms, struct rp_turn *turn)
{
	pthread_mutex_lock(&t->lock);
	assert(t->state == IDLE);
	t->now_at_ms = now_at_ms;
	t->turn = turn;
	set_state(t, BEGUN);
	pthread_mutex_unlock(&t->lock);
}

bool rp_turner_end(struct rp_turner *t, bool wait, enum rp_err *e, struct rp_error *err)
{
	eventfd_t ignored;
	bool over;

	pthread_mutex_lock(&t->lock);
	assert(t->state == BEGUN || t->state == OVER);
	while (wait && t->state != OVER)
		pthread_cond_wait(&t->changed, &t->lock);
	over = t->state == OVER;
	if (over) {
		t->state = IDLE;
		*e = t->e;
		if (err != NULL && t->e != RP_OK)
			*err = t->err;
		eventfd_read(t->event_fd, &ignored);
	}
	pthread_mutex_unlock(&t->lock);
	return over;
}

int rp_turner_fd(const struct rp_turner *t)
{
	return t->event_fd;
}
