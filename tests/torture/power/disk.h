/* disk.h - a model of what a power cut leaves of the outbox's files: POSIX's promise, and nothing
 * more.
 *
 * A write goes to the cache and is pending. fsync and fdatasync make all that is pending in the
 * file durable, a write through O_DSYNC the sectors that it touches. Of what is pending any part
 * may be on the disk, in any order, in whole pages or in sectors of 512 bytes; a sector is never
 * torn (LMDB relies on that for its meta page). A new name is durable after an fsync of its
 * directory, and may be there or not before. */
#ifndef TORTURE_DISK_H
#define TORTURE_DISK_H

#include "log.h"

#define DISK_SECTOR 512
#define DISK_PAGE 4096
#define DISK_FILES 32
/* the directory within the outbox's; names of its files begin with it and a slash */
#define DISK_SUB "purged"

/* Random numbers that are the same for the same seed (splitmix64). */
struct dice {
	uint64_t state;
};
uint64_t dice_roll(struct dice *d);
unsigned dice_below(struct dice *d, unsigned n);

struct disk_file {
	char name[64];
	bool named;          /* the name is in the cache, */
	bool named_for_good; /* and durable */
	unsigned char *cache, *durable;
	size_t cache_size, durable_size, cap;
	uint64_t *sector_no; /* durable: the write that each sector has its bytes from */
	struct disk_write {
		uint64_t no; /* grows over all writes */
		bool truncate;
		size_t at, n;
		const char *data; /* borrowed from the log */
	} * pending;
	size_t n_pending, cap_pending;
};

struct disk {
	struct disk_file files[DISK_FILES];
	size_t n_files;
	bool dir, dir_for_good, sub, sub_for_good;
	uint64_t writes;
};

/* Does one operation of the log. second_half: of a synced write, what makes it durable; before, it
 * is only pending. false: the model does not know it; *why tells. Events that are no operations
 * change nothing. */
bool disk_do(struct disk *d, const struct log_event *e, bool second_half, const char **why);
struct disk_file *disk_find(struct disk *d, const char *name);
bool disk_in_sub(const char *name);
void disk_free(struct disk *d);

/* What one cut leaves. Number 0 drops all that is pending, 1 keeps all, others are drawn from
 * `seed`. */
struct cut {
	enum { CUT_NONE, CUT_ALL, CUT_SOME, CUT_ONE_MISSING, CUT_ONE_ONLY, CUT_TORN } kind;
	unsigned grain;      /* bytes that are kept or lost together */
	unsigned keep_of_16; /* CUT_SOME: the share of units kept */
	struct dice dice;
};
struct cut cut_choose(uint64_t seed, unsigned number);

struct disk_image {
	bool dir, sub;
	struct disk_image_file {
		const char *name;
		bool present;
		unsigned char *data;
		size_t size, cap;
	} files[DISK_FILES];
	size_t n_files;
};
/* Fills *out, whose memory is kept for the next one. */
void disk_cut(const struct disk *d, struct cut cut, struct disk_image *out);
uint64_t disk_image_hash(const struct disk_image *image);
void disk_image_free(struct disk_image *image);

#endif
