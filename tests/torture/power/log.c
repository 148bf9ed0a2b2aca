#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_all(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *memory = NULL;
	long size = -1;

	if (f != NULL && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size >= 0 && fseek(f, 0, SEEK_SET) == 0)
		memory = malloc((size_t)size + 1);
	if (memory == NULL || fread(memory, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(74);
	}
	fclose(f);
	*n = (size_t)size;
	return memory;
}

struct log_file log_load(const char *path)
{
	struct log_file log = {0};
	size_t size, at = 0, cap = 0;

	log.memory = read_all(path, &size);
	while (at < size) {
		struct log_head h;

		if (size - at >= sizeof h)
			memcpy(&h, log.memory + at, sizeof h);
		if (size - at < sizeof h || h.magic != LOG_MAGIC ||
		    size - at - sizeof h < (size_t)h.name_len + h.data_len) {
			fprintf(stderr, "%s: broken at byte %zu\n", path, at);
			exit(65);
		}
		if (log.n == cap) {
			cap = cap * 2 + 1024;
			log.events = realloc(log.events, cap * sizeof log.events[0]);
			if (log.events == NULL)
				abort();
		}
		at += sizeof h;
		log.events[log.n++] = (struct log_event){.type = (enum log_type)h.type,
							 .synced = (h.flags & LOG_SYNCED) != 0,
							 .pid = h.pid,
							 .offset = h.offset,
							 .name = log.memory + at,
							 .name_len = h.name_len,
							 .data = log.memory + at + h.name_len,
							 .data_len = h.data_len};
		at += (size_t)h.name_len + h.data_len;
	}
	return log;
}

bool log_name_is(const struct log_event *e, const char *name)
{
	return e->name_len == strlen(name) && memcmp(e->name, name, e->name_len) == 0;
}
