#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool is_operation(const struct log_event *e)
{
	return e->type != LOG_MARK && e->type != LOG_RECEIPT;
}

/* What an operation wrote can only come from what had been seen before it; what is seen until the
 * next operation must not be undone by a cut before that. */
struct steps steps_make(const struct log_file *log, const struct expect *expect)
{
	size_t bytes = (log->n * 2 + 1) * sizeof(struct step), i;
	struct steps s = {
	    .all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};

	if (s.all == MAP_FAILED)
		abort();
	for (i = 0; i < log->n; i++) {
		struct step step = {.event = &log->events[i], .moment = {.may = i, .must = i}};

		if (!is_operation(step.event))
			continue;
		if (s.n > 0)
			s.all[s.n - 1].moment.must = i;
		s.all[s.n++] = step;
		step.second_half = true;
		if (step.event->synced)
			s.all[s.n++] = step;
		if (i < expect->begin)
			s.first = s.n;
	}
	if (s.n > 0)
		s.all[s.n - 1].moment.must = log->n;
	return s;
}

void step_do(const struct step *s, struct disk *d)
{
	const char *why;

	if (disk_do(d, s->event, s->second_half, &why))
		return;
	printf("event %zu, on %.*s (%.*s): %s\n", s->moment.may, (int)s->event->name_len,
	       s->event->name, (int)s->event->data_len, s->event->data, why);
	exit(65);
}

static bool is_same(const struct disk_file *f, const char *path)
{
	unsigned char *data = malloc(f->cache_size + 1);
	FILE *file = fopen(path, "rb");
	bool same = false;

	if (data != NULL && file != NULL)
		same = fread(data, 1, f->cache_size + 1, file) == f->cache_size &&
		       memcmp(data, f->cache, f->cache_size) == 0;
	if (file != NULL)
		fclose(file);
	free(data);
	return same;
}

void steps_end(const struct steps *s, struct disk *d)
{
	size_t i;

	memset(d, 0, sizeof *d);
	for (i = 0; i < s->n; i++)
		step_do(&s->all[i], d);
}

void steps_compare(const struct steps *s, const char *dir)
{
	struct disk d;
	char path[500];
	size_t i;

	steps_end(s, &d);
	for (i = 0; i < d.n_files; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, d.files[i].name);
		if (is_same(&d.files[i], path))
			continue;
		printf("%s is not what the log adds up to\n", path);
		exit(65);
	}
	disk_free(&d);
}
