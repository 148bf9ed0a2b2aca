/* preload_pages.c - LD_PRELOAD: a machine whose pages of memory have RP_TEST_PAGE_BYTES bytes,
 * 16384 or 65536, as ARM64's may.
 *
 * A page's size is told as that, maps begin where such a page does, and whoever hands over an
 * address that does not is ended, where that kernel would refuse. What cannot be seen here: memory
 * still comes and goes by the pages there are. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define REAL(result, name, ...)                                                                    \
	static result (*real_##name)(__VA_ARGS__);                                                 \
	if (real_##name == NULL)                                                                   \
	real_##name = (result(*)(__VA_ARGS__))(uintptr_t)dlsym(RTLD_NEXT, #name)

static size_t page_bytes(void)
{
	static size_t bytes;

	if (bytes == 0)
		bytes = (size_t)atol(getenv("RP_TEST_PAGE_BYTES"));
	return bytes;
}

static void must_begin_a_page(const char *call, uint64_t place)
{
	if (place % page_bytes() == 0)
		return;
	fprintf(stderr, "preload_pages: %s of 0x%llx, where no page of %zu bytes begins\n", call,
		(unsigned long long)place, page_bytes());
	abort();
}

long sysconf(int name)
{
	REAL(long, sysconf, int);

	return name == _SC_PAGESIZE ? (long)page_bytes() : real_sysconf(name);
}

int getpagesize(void)
{
	return (int)page_bytes();
}

/* More than is asked for, so that such a page begins in it; what is before and behind goes back. */
static void *map_aligned(void *(*map)(void *, size_t, int, int, int, off_t), size_t n, int prot,
			 int flags, int fd, off_t offset)
{
	size_t more = page_bytes(), before;
	char *room =
	    map(NULL, n + more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return MAP_FAILED;
	before = (more - (uintptr_t)room % more) % more;
	if (map(room + before, n, prot, flags | MAP_FIXED, fd, offset) == MAP_FAILED)
		return MAP_FAILED;
	REAL(int, munmap, void *, size_t);
	if (before > 0)
		real_munmap(room, before);
	n = (n + 4095) & ~(size_t)4095;
	real_munmap(room + before + n, more - before);
	return room + before;
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	REAL(void *, mmap, void *, size_t, int, int, int, off_t);

	must_begin_a_page("mmap at an offset", (uint64_t)offset);
	return at != NULL ? real_mmap(at, n, prot, flags, fd, offset)
			  : map_aligned(real_mmap, n, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return mmap(at, n, prot, flags, fd, offset);
}

int munmap(void *at, size_t n)
{
	REAL(int, munmap, void *, size_t);

	must_begin_a_page("munmap", (uintptr_t)at);
	return real_munmap(at, n);
}

int madvise(void *at, size_t n, int advice)
{
	REAL(int, madvise, void *, size_t, int);

	must_begin_a_page("madvise", (uintptr_t)at);
	return real_madvise(at, n, advice);
}

int msync(void *at, size_t n, int flags)
{
	REAL(int, msync, void *, size_t, int);

	must_begin_a_page("msync", (uintptr_t)at);
	return real_msync(at, n, flags);
}
