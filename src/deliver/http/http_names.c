/* http_names.c - holds requests back while another one looks up their name. It is apart because
 * libcurl has no such queue and does not tell what it has in its cache. */

#include "deliver/http/http_names.h"

#include <stdlib.h>
#include <string.h>

#include "deliver/http/http_kept.h"
#include "deliver/http/http_transfer.h"

#define HEADS 4096u
/* Then each looks for itself, and so do all that come until another one leads: a name server that
 * does not answer would hold up a second's requests again and again. */
#define WAIT_MS 1000
/* We and libcurl do not see a second end at the same time. */
#define KNOWN_MS ((int64_t)(RP_HTTP_NAMES_S - 2) * 1000)

/* Found by its hash alone: two names of one hash only wait for each other. */
struct rp_http_name {
	struct rp_http_name *next;           /* of its head */
	struct rp_http_name *later, *sooner; /* of those for which somebody waits */
	uint64_t receiver;
	int64_t known_until_ms;     /* on the boot clock */
	int64_t release_at_ms;      /* ... those that wait */
	struct rp_transfer *leader; /* NULL: nobody looks it up */
	bool in_vain;               /* it was waited for, for long enough */
	struct rp_transfer *waiting;
};

struct rp_http_names {
	size_t n;
	struct rp_http_name *soonest, *latest; /* to be released */
	struct rp_transfer *released;
	struct rp_http_name *heads[HEADS];
};

struct rp_http_names *rp_http_names_new(void)
{
	return calloc(1, sizeof(struct rp_http_names));
}

void rp_http_names_free(struct rp_http_names *names)
{
	struct rp_http_name *name;
	size_t i;

	if (names == NULL)
		return;
	for (i = 0; i < HEADS; i++) {
		while ((name = names->heads[i]) != NULL) {
			names->heads[i] = name->next;
			free(name);
		}
	}
	free(names);
}

/* In the usual spellings. In others the wait is for nothing, and short. */
static bool is_address(const char *url, size_t bytes)
{
	const char *host = strstr(url, "://");
	size_t n, skip = host != NULL ? (size_t)(host - url) + 3 : 0;

	if (skip >= bytes)
		return true; /* libcurl refuses it */
	n = strspn(url + skip, "0123456789.");
	return url[skip] == '[' || skip + n >= bytes || url[skip + n] == ':';
}

/* NULL: out of memory. */
static struct rp_http_name *name_of(struct rp_http_names *names, uint64_t receiver)
{
	struct rp_http_name **head = &names->heads[receiver % HEADS], *name = *head;

	while (name != NULL && name->receiver != receiver)
		name = name->next;
	if (name != NULL)
		return name;
	name = calloc(1, sizeof *name);
	if (name == NULL)
		return NULL;
	name->receiver = receiver;
	name->next = *head;
	*head = name;
	names->n++;
	return name;
}

static void wait_begin(struct rp_http_names *names, struct rp_http_name *name, int64_t now_ms)
{
	name->release_at_ms = now_ms + WAIT_MS;
	name->sooner = names->latest;
	name->later = NULL;
	*(names->latest != NULL ? &names->latest->later : &names->soonest) = name;
	names->latest = name;
}

static void release(struct rp_http_names *names, struct rp_http_name *name)
{
	struct rp_transfer *t;

	if (name->waiting == NULL)
		return;
	*(name->sooner != NULL ? &name->sooner->later : &names->soonest) = name->later;
	*(name->later != NULL ? &name->later->sooner : &names->latest) = name->sooner;
	while ((t = name->waiting) != NULL) {
		name->waiting = t->next;
		t->next = names->released;
		names->released = t;
	}
}

/* A kept connection needs no address. What has less time than a wait may take does not wait. */
static bool is_worth_waiting_for(const struct rp_http_name *name, const struct rp_transfer *t)
{
	return !name->in_vain && t->request.timeout_ms > WAIT_MS &&
	       t->request.connect_timeout_ms > WAIT_MS &&
	       !rp_http_watch_has_free(&t->shared->watch, name->receiver);
}

bool rp_http_names_enter(struct rp_http_names *names, struct rp_transfer *t, int64_t now_ms)
{
	size_t bytes;
	uint64_t receiver = rp_http_receiver(t->request.url, &bytes);
	struct rp_http_name *name;

	t->named = !is_address(t->request.url, bytes);
	if (!t->named)
		return true;
	name = name_of(names, receiver);
	if (name == NULL || now_ms < name->known_until_ms)
		return true;
	if (name->leader == NULL) {
		name->leader = t;
		t->leads = name;
		return true;
	}
	if (!is_worth_waiting_for(name, t))
		return true;
	if (name->waiting == NULL)
		wait_begin(names, name, now_ms);
	t->next = name->waiting;
	name->waiting = t;
	return false;
}

void rp_http_names_found(struct rp_http_names *names, struct rp_transfer *t, int64_t now_ms)
{
	if (t->leads != NULL)
		t->leads->known_until_ms = now_ms + KNOWN_MS;
	rp_http_names_leave(names, t);
}

void rp_http_names_leave(struct rp_http_names *names, struct rp_transfer *t)
{
	struct rp_http_name *name = t->leads;

	if (name == NULL)
		return;
	t->leads = NULL;
	name->leader = NULL;
	name->in_vain = false;
	release(names, name);
}

struct rp_transfer *rp_http_names_released(struct rp_http_names *names, int64_t now_ms)
{
	struct rp_transfer *list;

	while (names->soonest != NULL && now_ms >= names->soonest->release_at_ms) {
		names->soonest->in_vain = true;
		release(names, names->soonest);
	}
	list = names->released;
	names->released = NULL;
	return list;
}

int64_t rp_http_names_due_ms(const struct rp_http_names *names)
{
	return names->released != NULL  ? 0
	       : names->soonest != NULL ? names->soonest->release_at_ms
					: -1;
}

size_t rp_http_names_count(const struct rp_http_names *names)
{
	return names->n;
}

void rp_http_names_forget(struct rp_http_names *names, bool all, int64_t now_ms)
{
	struct rp_http_name **link, *name;
	size_t i;

	for (i = 0; i < HEADS; i++) {
		link = &names->heads[i];
		while ((name = *link) != NULL) {
			if (all)
				name->known_until_ms = 0;
			if (name->leader != NULL || name->waiting != NULL ||
			    now_ms < name->known_until_ms) {
				link = &name->next;
				continue;
			}
			*link = name->next;
			free(name);
			names->n--;
		}
	}
}
