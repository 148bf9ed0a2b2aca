/* beginning.h - private to src/store/lmdb: the first pages of data.mdb, before LMDB opens it. */
#ifndef RP_STORE_LMDB_BEGINNING_H
#define RP_STORE_LMDB_BEGINNING_H

#include <stdbool.h>
#include <stddef.h>

struct rp_lmdb;

size_t rp_page_bytes_of_this_machine(void);
/* Whether the making of data.mdb was cut short before anything can have been stored; if so and
 * `clear`, it is emptied, so that it is begun anew. Under the open lock, with LMDB closed. */
bool rp_beginning_find_torn(struct rp_lmdb *ob, bool clear);
/* Whether a meta page tells a size of pages by which LMDB would divide by 0, or look for the other
 * one in the wrong place. */
bool rp_beginning_is_impossible(struct rp_lmdb *ob);

#endif
