/* list.h - a list of things that hold their own link, so that joining and leaving cost nothing and
 * cannot fail. Only src/http_server works them. A link is in one list at most. All zero is an empty
 * list, and a link in none. */
#ifndef RP_HTTP_SERVER_LIST_H
#define RP_HTTP_SERVER_LIST_H

#include <stddef.h>

struct rp_http_list {
	struct rp_http_link *first, *last;
};

struct rp_http_link {
	struct rp_http_link *prev, *next;
	struct rp_http_list *in; /* NULL: in none */
};

/* Joins at the end; where it is in the list already, it stays in its place. */
static inline void rp_http_list_join(struct rp_http_list *list, struct rp_http_link *link)
{
	if (link->in != NULL)
		return;
	link->in = list;
	link->next = NULL;
	link->prev = list->last;
	*(link->prev != NULL ? &link->prev->next : &list->first) = link;
	list->last = link;
}

/* Leaves the list that it is in, if any. */
static inline void rp_http_list_leave(struct rp_http_link *link)
{
	struct rp_http_list *list = link->in;

	if (list == NULL)
		return;
	*(link->prev != NULL ? &link->prev->next : &list->first) = link->next;
	*(link->next != NULL ? &link->next->prev : &list->last) = link->prev;
	link->in = NULL;
}

#endif
