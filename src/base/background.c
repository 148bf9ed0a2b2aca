/* background.c - runs a task on a second thread and tells its owner through a descriptor. A
 * descriptor it is, because the owner's loop polls descriptors and nothing else. */

#include "base/background.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/thread.h"

enum background_state { IDLE, BEGUN, OVER };

struct rp_background {
	struct rp_background_task task;
	pthread_t thread;
	pthread_mutex_t lock; /* of state and closing; what the task uses is handed over with it */
	pthread_cond_t changed;
	enum background_state state;
	bool closing;
	int event_fd;
};

static bool await_begin(struct rp_background *b)
{
	bool begun;

	pthread_mutex_lock(&b->lock);
	while (b->state != BEGUN && !b->closing)
		pthread_cond_wait(&b->changed, &b->lock);
	begun = b->state == BEGUN;
	pthread_mutex_unlock(&b->lock);
	return begun;
}

static void *run_tasks(void *arg)
{
	struct rp_background *b = arg;

	while (await_begin(b)) {
		b->task.run(b->task.arg);
		pthread_mutex_lock(&b->lock);
		b->state = OVER;
		pthread_cond_broadcast(&b->changed);
		/* it is read before the next run: it cannot be full */
		eventfd_write(b->event_fd, 1);
		pthread_mutex_unlock(&b->lock);
		if (b->task.rest != NULL)
			b->task.rest(b->task.arg);
	}
	return NULL;
}

enum rp_err rp_background_open(const struct rp_background_task *task, struct rp_background **out,
			       struct rp_error *err)
{
	struct rp_background *b = calloc(1, sizeof *b);

	*out = NULL;
	if (b == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory at the start");
	b->task = *task;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->event_fd >= 0 && rp_thread_start(&b->thread, run_tasks, b) == 0) {
		*out = b;
		return RP_OK;
	}
	if (b->event_fd >= 0)
		close(b->event_fd);
	free(b);
	return rp_fail(err, RP_ERR_NOMEM,
		       "cannot start a thread: out of memory, threads or descriptors");
}

void rp_background_close(struct rp_background *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->closing = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	close(b->event_fd);
	free(b);
}

void rp_background_begin(struct rp_background *b)
{
	pthread_mutex_lock(&b->lock);
	assert(b->state == IDLE);
	b->state = BEGUN;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

bool rp_background_end(struct rp_background *b, bool wait)
{
	eventfd_t ignored;
	bool over;

	pthread_mutex_lock(&b->lock);
	assert(b->state != IDLE);
	while (wait && b->state != OVER)
		pthread_cond_wait(&b->changed, &b->lock);
	over = b->state == OVER;
	if (over) {
		b->state = IDLE;
		eventfd_read(b->event_fd, &ignored);
	}
	pthread_mutex_unlock(&b->lock);
	return over;
}

int rp_background_fd(const struct rp_background *b)
{
	return b->event_fd;
}
