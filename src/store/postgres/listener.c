/* listener.c - is told what others do. Each kind of watch has a connection of its own: few programs
 * have more than one. */
#include "store/postgres/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/postgres/postgres_ops.h"
#include "store/postgres/tell.h"

#define PROCESSES_MAX 120

struct rp_pg_listener {
	struct rp_pg *pg; /* NULL: lost, to be made anew */
	int fd;           /* epoll over its socket: stays the same when that changes */
	bool told;
	/* descriptors of processes (pidfd_open), which are readable once they have ended */
	struct process {
		uint32_t pid;
		int fd;
	} processes[PROCESSES_MAX];
	size_t n_processes;
};

static void lose(struct rp_pg_listener *l)
{
	if (l->pg != NULL)
		epoll_ctl(l->fd, EPOLL_CTL_DEL, rp_pg_socket(l->pg), NULL);
	rp_pg_disconnect(l->pg);
	l->pg = NULL;
}

static enum rp_err connect_it(struct rp_pgstore *s, struct rp_pg_listener *l, enum rp_watch what,
			      struct rp_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN};
	char channel[RP_PG_CHANNEL_MAX], listen[RP_PG_CHANNEL_MAX + 16];
	enum rp_err e = rp_pg_connect(&s->address, &l->pg, err);

	if (e != RP_OK)
		return e;
	rp_pg_name_channel(s, what, channel);
	snprintf(listen, sizeof listen, "LISTEN \"%s\"", channel);
	rp_pg_ask_plain(l->pg, listen);
	if (what == RP_WATCH_COMMITS)
		rp_pg_ask_plain(l->pg, "SELECT pg_advisory_lock_shared(" RP_PG_WATCHERS ")");
	e = rp_pg_go(l->pg, err);
	if (e == RP_OK && epoll_ctl(l->fd, EPOLL_CTL_ADD, rp_pg_socket(l->pg), &ev) != 0)
		e = rp_fail_sys(err, RP_ERR_IO, 0, "epoll");
	if (e != RP_OK)
		lose(l);
	return e;
}

enum rp_err rp_pg_listen(struct rp_pgstore *s, enum rp_watch what, int *fd, struct rp_error *err)
{
	struct rp_pg_listener **at = &s->listeners[what == RP_WATCH_COMMITS], *l;
	enum rp_err e = RP_OK;

	if (*at == NULL) {
		l = calloc(1, sizeof *l);
		if (l == NULL)
			return rp_fail(err, RP_ERR_NOMEM, "out of memory");
		l->fd = epoll_create1(EPOLL_CLOEXEC);
		if (l->fd < 0) {
			free(l);
			return rp_fail(err, RP_ERR_IO, "no descriptor is left to watch with");
		}
		*at = l;
	}
	if ((*at)->pg == NULL)
		e = connect_it(s, *at, what, err);
	*fd = (*at)->fd;
	return e;
}

/* A process of which there is no descriptor is found by the lease. */
void rp_pg_listener_add_process(struct rp_pgstore *s, uint32_t pid)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct rp_pg_listener *l = s->listeners[RP_WATCH_WORK];
	size_t i;
	int fd;

	if (l == NULL || l->n_processes == PROCESSES_MAX || pid == (uint32_t)getpid())
		return;
	for (i = 0; i < l->n_processes; i++)
		if (l->processes[i].pid == pid)
			return;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return;
	if (epoll_ctl(l->fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		close(fd);
		return;
	}
	l->processes[l->n_processes++] = (struct process){pid, fd};
}

static bool drop_ended(struct rp_pg_listener *l)
{
	size_t i = 0, before = l->n_processes;

	while (i < l->n_processes) {
		struct pollfd p = {.fd = l->processes[i].fd, .events = POLLIN};

		if (poll(&p, 1, 0) == 1) {
			close(p.fd); /* with that it leaves the epoll set */
			l->processes[i] = l->processes[--l->n_processes];
		} else {
			i++;
		}
	}
	return l->n_processes < before;
}

static void see(void *arg, struct rp_span payload)
{
	struct rp_pg_listener *l = arg;

	(void)payload;
	l->told = true;
}

/* What was said while the connection was lost nobody heard: so it is worth a look. */
static void mend(struct rp_pgstore *s, struct rp_pg_listener *l, enum rp_watch what)
{
	if (l->pg == NULL && connect_it(s, l, what, NULL) == RP_OK)
		l->told = true;
}

void rp_pg_listeners_mend(struct rp_pgstore *s)
{
	if (s->listeners[0] != NULL)
		mend(s, s->listeners[0], RP_WATCH_WORK);
	if (s->listeners[1] != NULL)
		mend(s, s->listeners[1], RP_WATCH_COMMITS);
}

struct rp_woken rp_pgop_drain(struct rp_outbox *outbox, enum rp_watch what)
{
	struct rp_pgstore *s = rp_pgstore_of(outbox);
	struct rp_pg_listener *l = s->listeners[what == RP_WATCH_COMMITS];
	bool told;

	if (l == NULL)
		return (struct rp_woken){false, false};
	if (l->pg != NULL && rp_pg_take_in(l->pg, see, l, NULL) != RP_OK) {
		lose(l);
		mend(s, l, what);
	}
	told = drop_ended(l) || l->told;
	l->told = false;
	/* whatever woke it, a sender looks for both */
	return (struct rp_woken){told && what == RP_WATCH_WORK, told && what == RP_WATCH_WORK};
}

void rp_pg_listeners_close(struct rp_pgstore *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (s->listeners[i] == NULL)
			continue;
		while (s->listeners[i]->n_processes > 0)
			close(s->listeners[i]->processes[--s->listeners[i]->n_processes].fd);
		lose(s->listeners[i]);
		close(s->listeners[i]->fd);
		free(s->listeners[i]);
		s->listeners[i] = NULL;
	}
}
