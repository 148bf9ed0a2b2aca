/* guarded_malloc.h - tells when LMDB writes or reads beyond the pages that it holds in memory.
 *
 * Once armed, each block of whole pages (as LMDB's copies of pages are, and little else) lies
 * between two pages that cannot be touched. malloc, calloc, realloc and free are replaced for the
 * whole program; blocks of other sizes are the C library's. */
#ifndef GUARDED_MALLOC_H
#define GUARDED_MALLOC_H

#include <stdbool.h>

void guarded_malloc_arm(void);
/* In a block, beside one, or where one was. For the handler of SIGSEGV: there it is one of the
 * latter two. */
bool guarded_malloc_owns(const void *at);

#endif
