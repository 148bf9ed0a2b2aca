#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)64 << 20)

static void die(const char *what)
{
	perror(what);
	exit(74);
}

static void make_directory(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		die(path);
}

void place_open(struct place *p, const char *in, unsigned number)
{
	memset(p, 0, sizeof *p);
	snprintf(p->dir, sizeof p->dir, "%s/outbox-%u", in, number);
	make_directory(p->dir);
}

static void forget_file(struct place *p, size_t i)
{
	if (p->files[i].map == NULL)
		return;
	munmap(p->files[i].map, MAP_BYTES);
	close(p->files[i].fd);
	p->files[i].map = NULL;
}

/* Writes only pages that differ: the file stays, with its memory. */
static void put_file(struct place *p, size_t i, const struct disk_image_file *f)
{
	size_t at;

	if (p->files[i].map == NULL) {
		snprintf(p->files[i].path, sizeof p->files[i].path, "%s/%s", p->dir, f->name);
		p->files[i].fd = open(p->files[i].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (p->files[i].fd < 0)
			die(p->files[i].path);
		p->files[i].map =
		    mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->files[i].fd, 0);
		if (p->files[i].map == MAP_FAILED)
			die("mmap");
	}
	if (f->size > MAP_BYTES || ftruncate(p->files[i].fd, (off_t)f->size) != 0)
		die(p->files[i].path);
	for (at = 0; at < f->size; at += DISK_PAGE) {
		size_t n = f->size - at < DISK_PAGE ? f->size - at : DISK_PAGE;

		if (memcmp(p->files[i].map + at, f->data + at, n) != 0)
			memcpy(p->files[i].map + at, f->data + at, n);
	}
}

static bool is_in(const struct disk_image *image, const char *name)
{
	size_t i;

	for (i = 0; i < image->n_files; i++)
		if (image->files[i].present && strcmp(image->files[i].name, name) == 0)
			return true;
	return false;
}

/* The checks made files of their own. */
static void remove_others(const struct disk_image *image, const char *path, const char *prefix,
			  bool keep_lock)
{
	char name[sizeof DISK_SUB + 260];
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		snprintf(name, sizeof name, "%s%s", prefix, e->d_name);
		if (e->d_name[0] == '.' || is_in(image, name) || strcmp(name, DISK_SUB) == 0 ||
		    (keep_lock && strcmp(name, "lock.mdb") == 0))
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) != 0)
			die(e->d_name);
	}
	if (dir != NULL)
		closedir(dir);
}

void place_put(struct place *p, const struct disk_image *image, bool keep_lock)
{
	char sub[sizeof p->dir + sizeof DISK_SUB];
	size_t i;

	snprintf(sub, sizeof sub, "%s/" DISK_SUB, p->dir);
	for (i = 0; i < image->n_files; i++)
		if (!image->files[i].present)
			forget_file(p, i);
	remove_others(image, sub, DISK_SUB "/", false);
	if (!image->sub)
		rmdir(sub);
	remove_others(image, p->dir, "", keep_lock && image->dir);
	if (!image->dir) {
		rmdir(p->dir);
		return;
	}
	make_directory(p->dir);
	if (image->sub)
		make_directory(sub);
	for (i = 0; i < image->n_files; i++)
		if (image->files[i].present)
			put_file(p, i, &image->files[i]);
}
