/* sender_list.c - a list of places, first in, first out. A place is on one list at a time, so
 * the links are in the places and nothing is allocated. */

#include "deliver/sender_int.h"

void rp_sender_list_init(struct rp_sender_list *l)
{
	l->first = NULL;
	l->end = &l->first;
	l->n = 0;
}

void rp_sender_list_push(struct rp_sender_list *l, struct rp_sender_job *j)
{
	j->next = NULL;
	*l->end = j;
	l->end = &j->next;
	l->n++;
}

void rp_sender_list_push_first(struct rp_sender_list *l, struct rp_sender_job *j)
{
	j->next = l->first;
	if (l->first == NULL)
		l->end = &j->next;
	l->first = j;
	l->n++;
}

struct rp_sender_job *rp_sender_list_pop(struct rp_sender_list *l)
{
	struct rp_sender_job *j = l->first;

	if (j == NULL)
		return NULL;
	l->first = j->next;
	if (l->first == NULL)
		l->end = &l->first;
	l->n--;
	return j;
}
