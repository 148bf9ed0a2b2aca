#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/record.h"

uint64_t dice_roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned dice_below(struct dice *d, unsigned n)
{
	return (unsigned)(dice_roll(d) % n);
}

static void *grow(void *memory, size_t bytes)
{
	void *more = realloc(memory, bytes);

	if (more == NULL)
		abort();
	return more;
}

/* --- operations --------------------------------------------------------------------------- */

static void reserve(struct disk_file *f, size_t size)
{
	size_t cap = f->cap;

	if (size <= cap)
		return;
	while (cap < size)
		cap = cap * 2 + 16 * DISK_PAGE;
	f->cache = grow(f->cache, cap);
	f->durable = grow(f->durable, cap);
	f->sector_no = grow(f->sector_no, cap / DISK_SECTOR * sizeof f->sector_no[0]);
	memset(f->cache + f->cap, 0, cap - f->cap);
	memset(f->durable + f->cap, 0, cap - f->cap);
	memset(f->sector_no + f->cap / DISK_SECTOR, 0,
	       (cap - f->cap) / DISK_SECTOR * sizeof f->sector_no[0]);
	f->cap = cap;
}

struct disk_file *disk_find(struct disk *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->n_files; i++)
		if (strcmp(d->files[i].name, name) == 0)
			return &d->files[i];
	return NULL;
}

static struct disk_file *find_or_add(struct disk *d, const struct log_event *e)
{
	char name[sizeof d->files[0].name];
	struct disk_file *f;

	snprintf(name, sizeof name, "%.*s", (int)e->name_len, e->name);
	f = disk_find(d, name);
	if (f == NULL && d->n_files < DISK_FILES) {
		f = &d->files[d->n_files++];
		memcpy(f->name, name, sizeof name);
	}
	return f;
}

static void add_pending(struct disk *d, struct disk_file *f, const struct log_event *e,
			bool truncate)
{
	if (f->n_pending == f->cap_pending) {
		f->cap_pending = f->cap_pending * 2 + 64;
		f->pending = grow(f->pending, f->cap_pending * sizeof f->pending[0]);
	}
	f->pending[f->n_pending++] = (struct disk_write){.no = ++d->writes,
							 .truncate = truncate,
							 .at = e->offset,
							 .n = e->data_len,
							 .data = e->data};
}

static void write_cache(struct disk_file *f, const struct log_event *e)
{
	reserve(f, e->offset + e->data_len + DISK_PAGE);
	memcpy(f->cache + e->offset, e->data, e->data_len);
	if (f->cache_size < e->offset + e->data_len)
		f->cache_size = e->offset + e->data_len;
}

static void truncate_cache(struct disk_file *f, size_t size)
{
	reserve(f, size + DISK_PAGE);
	if (size < f->cache_size)
		memset(f->cache + size, 0, f->cache_size - size);
	f->cache_size = size;
}

static void make_durable(struct disk_file *f)
{
	memcpy(f->durable, f->cache, f->cap);
	f->durable_size = f->cache_size;
	f->n_pending = 0;
}

static void make_range_durable(struct disk *d, struct disk_file *f, size_t at, size_t n)
{
	size_t sector, first = at / DISK_SECTOR, end = (at + n + DISK_SECTOR - 1) / DISK_SECTOR;

	for (sector = first; sector < end; sector++) {
		memcpy(f->durable + sector * DISK_SECTOR, f->cache + sector * DISK_SECTOR,
		       DISK_SECTOR);
		f->sector_no[sector] = d->writes;
	}
	if (f->durable_size < at + n)
		f->durable_size = at + n;
}

bool disk_in_sub(const char *name)
{
	return strncmp(name, DISK_SUB "/", sizeof DISK_SUB) == 0;
}

static void sync_names_in(struct disk *d, bool sub)
{
	size_t i;

	for (i = 0; i < d->n_files; i++)
		if (disk_in_sub(d->files[i].name) == sub)
			d->files[i].named_for_good = d->files[i].named;
}

/* false: it was no directory. */
static bool sync_directory(struct disk *d, const struct log_event *e)
{
	if (log_name_is(e, "..")) {
		d->dir_for_good = d->dir;
	} else if (log_name_is(e, ".")) {
		d->sub_for_good = d->sub;
		sync_names_in(d, false);
	} else if (log_name_is(e, DISK_SUB)) {
		sync_names_in(d, true);
	} else {
		return false;
	}
	return true;
}

static bool make_directory(struct disk *d, const struct log_event *e, const char **why)
{
	*why = "a directory that the model does not know";
	if (log_name_is(e, "."))
		d->dir = true;
	else if (log_name_is(e, DISK_SUB))
		d->sub = true;
	else
		return false;
	return true;
}

bool disk_do(struct disk *d, const struct log_event *e, bool second_half, const char **why)
{
	struct disk_file *f;

	if (e->type == LOG_RECEIPT || e->type == LOG_MARK)
		return true;
	if (e->type == LOG_MKDIR)
		return make_directory(d, e, why);
	if (e->type == LOG_SYNC && sync_directory(d, e))
		return true;
	f = find_or_add(d, e);
	*why =
	    e->type == LOG_OTHER ? "an operation that the model does not know" : "too many files";
	if (f == NULL || e->type == LOG_OTHER)
		return false;
	switch (e->type) {
	case LOG_CREATE:
		f->named = true;
		return true;
	case LOG_WRITE:
		if (second_half) {
			make_range_durable(d, f, e->offset, e->data_len);
			return true;
		}
		write_cache(f, e);
		add_pending(d, f, e, false);
		return true;
	case LOG_TRUNCATE:
		truncate_cache(f, e->offset);
		add_pending(d, f, e, true);
		return true;
	default:
		make_durable(f);
		return true;
	}
}

void disk_free(struct disk *d)
{
	size_t i;

	for (i = 0; i < d->n_files; i++) {
		free(d->files[i].cache);
		free(d->files[i].durable);
		free(d->files[i].sector_no);
		free(d->files[i].pending);
	}
	memset(d, 0, sizeof *d);
}

/* --- cuts --------------------------------------------------------------------------------- */

struct cut cut_choose(uint64_t seed, unsigned number)
{
	struct cut c = {.kind = CUT_SOME, .dice = {seed ^ (uint64_t)number * 0xd1342543de82ef95u}};
	static const unsigned shares[] = {2, 8, 8, 14};

	if (number < 2) {
		c.kind = number == 0 ? CUT_NONE : CUT_ALL;
		c.grain = DISK_PAGE;
		return c;
	}
	switch (dice_below(&c.dice, 8)) {
	case 0:
		c.kind = CUT_ONE_MISSING;
		break;
	case 1:
		c.kind = CUT_ONE_ONLY;
		break;
	case 2:
		c.kind = CUT_TORN;
		break;
	default:
		break;
	}
	c.grain = dice_below(&c.dice, 2) == 0 ? DISK_PAGE : DISK_SECTOR;
	c.keep_of_16 = shares[dice_below(&c.dice, 4)];
	return c;
}

struct chooser {
	struct cut cut;
	/* units met so far; ONE_MISSING, ONE_ONLY, TORN: the number that it is about */
	size_t unit, chosen;
};

static bool keeps(struct chooser *c)
{
	size_t unit = c->unit++;

	switch (c->cut.kind) {
	case CUT_NONE:
		return false;
	case CUT_ALL:
		return true;
	case CUT_ONE_MISSING:
		return unit != c->chosen;
	case CUT_ONE_ONLY:
		return unit == c->chosen;
	case CUT_TORN:
		return unit < c->chosen;
	default:
		return dice_below(&c->cut.dice, 16) < c->cut.keep_of_16;
	}
}

static size_t units_of(const struct disk_write *w, unsigned grain)
{
	return w->truncate || w->n == 0 ? 1 : (w->at + w->n - 1) / grain - w->at / grain + 1;
}

static void image_size(struct disk_image_file *f, size_t size)
{
	if (size > f->cap) {
		f->data = grow(f->data, size * 2);
		memset(f->data + f->cap, 0, size * 2 - f->cap);
		f->cap = size * 2;
	}
	if (size < f->size)
		memset(f->data + size, 0, f->size - size);
	f->size = size;
}

/* Sectors that a later, synced write has made durable keep what that wrote. */
static void keep_bytes(const struct disk_file *from, const struct disk_write *w, size_t at,
		       size_t end, struct disk_image_file *to)
{
	if (to->size < end)
		image_size(to, end);
	while (at < end) {
		size_t sector = at / DISK_SECTOR, stop = (sector + 1) * DISK_SECTOR;

		if (stop > end)
			stop = end;
		if (from->sector_no[sector] < w->no)
			memcpy(to->data + at, w->data + (at - w->at), stop - at);
		at = stop;
	}
}

static void apply(const struct disk_file *from, const struct disk_write *w, struct chooser *c,
		  struct disk_image_file *to)
{
	size_t at = w->at, end = w->at + w->n;

	if (w->truncate) {
		if (keeps(c))
			image_size(to, w->at);
		return;
	}
	while (at < end) {
		size_t stop = (at / c->cut.grain + 1) * c->cut.grain;

		if (stop > end)
			stop = end;
		if (keeps(c))
			keep_bytes(from, w, at, stop, to);
		at = stop;
	}
}

/* Whether a new name in a directory that is `there` is on the disk. */
static bool has_name(bool there, bool named, bool for_good, struct cut *cut)
{
	if (!there || for_good || !named || cut->kind == CUT_NONE)
		return there && for_good;
	return cut->kind == CUT_ALL || dice_below(&cut->dice, 2) != 0;
}

void disk_cut(const struct disk *d, struct cut cut, struct disk_image *out)
{
	struct chooser c = {.cut = cut};
	size_t units = 0, i, k;

	for (i = 0; i < d->n_files; i++)
		for (k = 0; k < d->files[i].n_pending; k++)
			units += units_of(&d->files[i].pending[k], cut.grain);
	c.chosen = units > 0 ? dice_below(&c.cut.dice, (unsigned)units) : 0;
	out->n_files = d->n_files;
	out->dir = has_name(true, d->dir, d->dir_for_good, &c.cut);
	out->sub = has_name(out->dir, d->sub, d->sub_for_good, &c.cut);
	for (i = 0; i < d->n_files; i++) {
		const struct disk_file *from = &d->files[i];
		struct disk_image_file *to = &out->files[i];

		to->name = from->name;
		image_size(to, 0);
		image_size(to, from->durable_size);
		if (from->durable_size > 0)
			memcpy(to->data, from->durable, from->durable_size);
		for (k = 0; k < from->n_pending; k++)
			apply(from, &from->pending[k], &c, to);
		to->present = has_name(disk_in_sub(from->name) ? out->sub : out->dir, from->named,
				       from->named_for_good, &c.cut);
	}
}

void disk_image_free(struct disk_image *image)
{
	size_t i;

	for (i = 0; i < image->n_files; i++)
		free(image->files[i].data);
	memset(image, 0, sizeof *image);
}

uint64_t disk_image_hash(const struct disk_image *image)
{
	uint64_t all[DISK_FILES * 2 + 1] = {image->dir + image->sub};
	size_t i;

	for (i = 0; i < image->n_files; i++) {
		const struct disk_image_file *f = &image->files[i];

		all[1 + 2 * i] = f->present ? 1 + f->size : 0;
		all[2 + 2 * i] = f->present ? rp_payload_hash(f->data, f->size) : 0;
	}
	return rp_payload_hash(all, sizeof all);
}
