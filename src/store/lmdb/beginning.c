/* beginning.c - looks at the first two pages of a data file before LMDB opens it. LMDB would
 * divide by a page size it finds there, so impossible pages are caught here. */

#include "store/lmdb/tree/page.h"
#include "store/lmdb/store_int.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* As LMDB gives them to a file that it makes here. */
size_t rp_page_bytes_of_this_machine(void)
{
	long bytes = sysconf(_SC_PAGESIZE);

	return bytes < RP_PAGE_BYTES_MAX ? (size_t)bytes : RP_PAGE_BYTES_MAX;
}

/* The two meta pages, and those of the commit that makes the tables; the first append makes it 18
 * and more (measured). */
#define BEGINNING_PAGES_MAX 4

/* Whether a meta page begins there, and what it says of the size of a page. */
static bool is_meta_at(int fd, size_t at, uint32_t *page_bytes)
{
	unsigned char page[RP_META_PAGE_BYTES_AT + 4];

	if (pread(fd, page, sizeof page, (off_t)at) != (ssize_t)sizeof page)
		return false;
	*page_bytes = rp_page_u32(page + RP_META_PAGE_BYTES_AT);
	return rp_page_u32(page + RP_META_MAGIC_AT) == RP_META_MAGIC;
}

/* Of a file of which parts may be missing. */
static size_t page_bytes_of_beginning(int fd)
{
	uint32_t says;
	size_t at;

	if (is_meta_at(fd, 0, &says) && rp_page_bytes_possible(says))
		return says;
	for (at = RP_PAGE_BYTES_MIN; at <= RP_PAGE_BYTES_MAX; at *= 2)
		if (is_meta_at(fd, at, &says) && says == at)
			return at;
	return rp_page_bytes_of_this_machine();
}

/* LMDB begins a file by writing its two meta pages, without a sync; they are synced together with
 * the pages of the first commit. A disk that was full at that moment, or a power cut, leaves less
 * of them, perhaps with those pages behind them; nothing can have been stored then. Anything else
 * stays as it is: a meta page that has seen a transaction, whose data are lost, or somebody else's
 * file. */
static bool is_torn_beginning(int fd)
{
	static const unsigned char zeros[RP_PAGE_BYTES_MAX];
	const off_t page_bytes = (off_t)page_bytes_of_beginning(fd);
	unsigned char page[RP_PAGE_BYTES_MAX];
	struct stat st;
	off_t at;

	if (fstat(fd, &st) != 0 || st.st_size == 0 || st.st_size > BEGINNING_PAGES_MAX * page_bytes)
		return false;
	for (at = 0; at < st.st_size && at < 2 * page_bytes; at += page_bytes) {
		memset(page, 0, sizeof page);
		if (pread(fd, page, (size_t)page_bytes, at) <= 0 ||
		    rp_page_u64(page + RP_META_TXN_AT) != 0 ||
		    (rp_page_u32(page + RP_META_MAGIC_AT) != RP_META_MAGIC &&
		     memcmp(page, zeros, sizeof page) != 0))
			return false;
	}
	return true;
}

/* While we hold the lock by which LMDB finds out who is first, nobody has the file open, and
 * nobody begins it. */
bool rp_beginning_find_torn(struct rp_lmdb *ob, bool clear)
{
	struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	int lock = -1, data = -1;
	bool torn = false;

	if (rp_files_file_open(ob, RP_FILE_LOCK, &lock, NULL, NULL) == RP_OK &&
	    fcntl(lock, F_SETLK, &first) == 0 &&
	    rp_files_file_open(ob, RP_FILE_DATA, &data, NULL, NULL) == RP_OK)
		torn = is_torn_beginning(data) && (!clear || ftruncate(data, 0) == 0);
	if (data >= 0)
		close(data);
	if (lock >= 0)
		close(lock);
	return torn;
}

/* LMDB divides by the size of a page as it stands in the meta pages, and looks for the second one
 * where the first one's says. */
bool rp_beginning_is_impossible(struct rp_lmdb *ob)
{
	uint32_t first, second;
	bool impossible;
	int fd = openat(ob->place.dir_fd, "data.mdb", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) /* LMDB makes it, or tells why it cannot */
		return false;
	impossible =
	    is_meta_at(fd, 0, &first) &&
	    (!rp_page_bytes_possible(first) || (is_meta_at(fd, first, &second) && second != first));
	close(fd);
	return impossible;
}
