/* http_names.h - private to src/deliver/http: each name is looked up once, however many requests
 * need it at that time.
 *
 * libcurl looks up a name for each request that finds it neither in its cache nor on a kept
 * connection. So the first request for a name leads, and the others wait until it has the address
 * or needs none. Nobody waits who may get a kept connection, has little time, or would wait for one
 * that was waited for in vain. */
#ifndef RP_DELIVER_HTTP_HTTP_NAMES_H
#define RP_DELIVER_HTTP_HTTP_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libcurl keeps what it found for so long; http_sweep.c tells it to forget */
#define RP_HTTP_NAMES_S 60
/* ... and about so many: beyond it all are forgotten */
#define RP_HTTP_NAMES_MAX 16384u

struct rp_transfer;
struct rp_http_names;

struct rp_http_names *rp_http_names_new(void); /* NULL: out of memory */
void rp_http_names_free(struct rp_http_names *names);

/* Before a prepared transfer is begun. true: begin it now. false: it waits, and _released will
 * return it. */
bool rp_http_names_enter(struct rp_http_names *names, struct rp_transfer *t, int64_t now_ms);
/* The transfer has an address of its name, from now_ms on in libcurl's cache. */
void rp_http_names_found(struct rp_http_names *names, struct rp_transfer *t, int64_t now_ms);
/* The transfer looks nothing up any more. Nothing happens where it leads nobody. */
void rp_http_names_leave(struct rp_http_names *names, struct rp_transfer *t);
/* Takes those that waited and are to be begun now, linked by `next`. */
struct rp_transfer *rp_http_names_released(struct rp_http_names *names, int64_t now_ms);
/* When one has waited for long enough, on the boot clock; -1: none waits. */
int64_t rp_http_names_due_ms(const struct rp_http_names *names);

/* names that libcurl may have in its cache */
size_t rp_http_names_count(const struct rp_http_names *names);
/* libcurl forgets, of its cache, what is older than RP_HTTP_NAMES_S; all: everything. */
void rp_http_names_forget(struct rp_http_names *names, bool all, int64_t now_ms);

#endif
