/* named.h - the endpoints that the words of a command line name: a host by its name, a path by its
 * name or a URL of it, paths by a pattern. Paths are met page by page, since there may be a
 * million of them: none but those of a page are in memory. */
#ifndef RP_CTL_SELECT_NAMED_H
#define RP_CTL_SELECT_NAMED_H

#include "ctl/common/ctl.h"

struct rp_named {
	struct rp_ctl *ctl; /* its names; none: all paths */
	bool with_members;  /* with a host come its sections and its paths */
	/* Each of them once, hosts and sections first; outside of transactions. Result: exit
	 * code; not RP_EXIT_OK ends it. */
	int (*see)(void *arg, const struct rp_known_endpoint *k, const struct rp_receiver *levels);
	int (*page)(void *arg); /* after each page, to print it; may be NULL */
	void *arg;
};

/* Result: exit code, after saying what is wrong; a word that names nothing is an error, and then
 * nothing is seen. */
int rp_named_run(struct rp_named *n);

#endif
