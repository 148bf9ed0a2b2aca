/* sender_list.c - lists of claims, first in, first out. A claim is on one list at a time, so the
 * links are in the claims and nothing is allocated. */

#include "deliver/sender_list.h"

void rp_sender_list_init(struct rp_sender_list *l)
{
	l->first = NULL;
	l->end = &l->first;
	l->n = 0;
}

void rp_sender_list_push(struct rp_sender_list *l, struct rp_sender_claim *c)
{
	c->next = NULL;
	*l->end = c;
	l->end = &c->next;
	l->n++;
}

void rp_sender_list_push_first(struct rp_sender_list *l, struct rp_sender_claim *c)
{
	c->next = l->first;
	if (l->first == NULL)
		l->end = &c->next;
	l->first = c;
	l->n++;
}

struct rp_sender_claim *rp_sender_list_pop(struct rp_sender_list *l)
{
	struct rp_sender_claim *c = l->first;

	if (c == NULL)
		return NULL;
	l->first = c->next;
	if (l->first == NULL)
		l->end = &l->first;
	l->n--;
	return c;
}
