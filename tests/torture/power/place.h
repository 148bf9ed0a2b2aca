/* place.h - a directory in which one image after another stands as files. */
#ifndef TORTURE_PLACE_H
#define TORTURE_PLACE_H

#include "disk.h"

struct place {
	char dir[400];
	struct {
		char path[500];
		unsigned char *map;
		int fd;
	} files[DISK_FILES];
};

/* Makes the directory outbox-NUMBER inside `in`. */
void place_open(struct place *p, const char *in, unsigned number);

/* Afterwards the directory holds the image and nothing else, or does not exist. keep_lock: but for
 * lock.mdb, which stays as the image before left it: what it holds after a power cut is anything.
 * Exits when the files cannot be written. */
void place_put(struct place *p, const struct disk_image *image, bool keep_lock);

#endif
