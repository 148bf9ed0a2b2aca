/* bodies.c - shares a bounded memory among the bodies of all connections: first come, first
 * served. */

#include "http_server/connection_int.h"

static struct rp_http_connection *first_waiting(struct rp_http_service *service)
{
	char *link = (char *)service->bodies_waiting.first;

	return link == NULL ? NULL : (void *)(link - offsetof(struct rp_http_connection, waiting));
}

/* One that has all the room alone goes on in any case: else a body beyond the bound would wait for
 * ever. */
static bool has_room(const struct rp_http_connection *c, size_t bytes)
{
	const struct rp_http_service *service = c->service;
	size_t others = service->bodies_used - c->charged;

	return others == 0 || others + bytes <= service->limits.bodies_bytes;
}

/* What the first one waits for is its own to say: it asks again. */
static void call_first(struct rp_http_service *service)
{
	struct rp_http_connection *c = first_waiting(service);

	if (c != NULL)
		rp_http_list_join(&service->pending, &c->pending);
}

bool rp_http_bodies_charge(struct rp_http_connection *c, size_t bytes)
{
	struct rp_http_service *service = c->service;
	struct rp_http_connection *first = first_waiting(service);

	if (service->limits.bodies_bytes == 0 || bytes <= c->charged)
		return true;
	if ((first != NULL && first != c) || !has_room(c, bytes)) {
		rp_http_list_join(&service->bodies_waiting, &c->waiting);
		return false;
	}
	service->bodies_used += bytes - c->charged;
	c->charged = bytes;
	if (first == c) {
		rp_http_list_leave(&c->waiting);
		call_first(service);
	}
	return true;
}

void rp_http_bodies_release(struct rp_http_connection *c)
{
	struct rp_http_service *service = c->service;

	if (c->charged == 0 && c->waiting.in == NULL)
		return;
	rp_http_list_leave(&c->waiting);
	service->bodies_used -= c->charged;
	c->charged = 0;
	call_first(service);
}
