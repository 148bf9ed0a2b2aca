#include "guarded_malloc.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, AREA_PAGES = 1 << 18 };
/* before the area: a size read from a damaged map leads no further beyond its end */
#define GAP_BYTES ((size_t)8 << 30)

/* The C library's own, by which its replacements are found (glibc manual, "Replacing malloc"). */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t k, size_t n);
extern void *__libc_realloc(void *at, size_t n);
extern void __libc_free(void *at);

/* Address space of which each page is used once. */
static char *area;
static size_t used_pages;
static uint32_t pages_of[AREA_PAGES]; /* of the block that begins there */

void guarded_malloc_arm(void)
{
	void *got = mmap(NULL, GAP_BYTES + (size_t)AREA_PAGES * PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	area = got == MAP_FAILED ? NULL : (char *)got + GAP_BYTES;
}

bool guarded_malloc_owns(const void *at)
{
	return area != NULL && (const char *)at >= area &&
	       (const char *)at < area + (size_t)AREA_PAGES * PAGE;
}

void *malloc(size_t n)
{
	size_t pages = n / PAGE;
	char *at;

	if (area == NULL || n == 0 || n % PAGE != 0 || pages + 2 > AREA_PAGES - used_pages)
		return __libc_malloc(n);
	at = area + (used_pages + 1) * PAGE;
	if (mprotect(at, n, PROT_READ | PROT_WRITE) != 0)
		return __libc_malloc(n);
	pages_of[used_pages + 1] = (uint32_t)pages;
	used_pages += pages + 1;
	return at;
}

void free(void *at)
{
	if (!guarded_malloc_owns(at))
		__libc_free(at);
	else
		mmap(at, (size_t)pages_of[((char *)at - area) / PAGE] * PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void *calloc(size_t k, size_t n)
{
	return __libc_calloc(k, n);
}

void *realloc(void *at, size_t n)
{
	size_t had;
	void *other;

	if (!guarded_malloc_owns(at))
		return __libc_realloc(at, n);
	had = (size_t)pages_of[((char *)at - area) / PAGE] * PAGE;
	other = __libc_malloc(n);
	if (other == NULL)
		return NULL;
	memcpy(other, at, had < n ? had : n);
	free(at);
	return other;
}
