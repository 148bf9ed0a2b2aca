/* Cutting members out of JSON, against jansson, which takes them out of a tree. The first line has
 * the paths, the rest is the object. */
#include "fuzz.h"

#include <jansson.h>

#include "run/cut.h"
#include "text/scan.h"

#define TEXT_MAX 128 /* of the paths */

static void take_out(json_t *tree, const char *path)
{
	const char *dot = strchr(path, '.');
	char name[TEXT_MAX];

	if (!json_is_object(tree))
		return;
	if (dot == NULL) {
		json_object_del(tree, path);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
	take_out(json_object_get(tree, name), dot + 1);
}

static bool cut(struct rp_span object, const struct rp_cuts *cuts, struct rp_buf *left)
{
	char *copy = fuzz_copy(object);
	bool any;

	left->max = SIZE_MAX;
	MUST(rp_cut((struct rp_span){copy, object.len}, cuts, left, &any), "out of memory");
	MUST(any ? left->len < object.len : left->len == 0, "%zu bytes of %zu", left->len,
	     object.len);
	free(copy);
	return any;
}

static struct rp_span left_of(struct rp_span object, bool any, const struct rp_buf *left)
{
	return any ? (struct rp_span){left->data, left->len} : object;
}

static void check_order(struct rp_span part, struct rp_span whole)
{
	size_t i = 0, k;

	for (k = 0; i < part.len && k < whole.len; k++)
		i += part.ptr[i] == whole.ptr[k];
	MUST(i == part.len, "other bytes than those that came in");
}

/* One after the other, the last first: that may make no difference. */
static void check_one_by_one(struct rp_span object, const struct rp_cuts *cuts,
			     struct rp_span expected)
{
	struct rp_buf held = {0};
	struct rp_span now = object;
	size_t i;

	for (i = cuts->n; i-- > 0;) {
		const struct rp_cuts one = {.paths = {cuts->paths[i]}, .n = 1};
		struct rp_buf left = {0};

		if (!cut(now, &one, &left)) {
			rp_buf_release(&left);
			continue;
		}
		rp_buf_release(&held);
		held = left;
		now = (struct rp_span){held.data, held.len};
	}
	MUST(fuzz_same(now, expected), "one by one gives %.*s", (int)now.len, now.ptr);
	rp_buf_release(&held);
}

static void check_tree(struct rp_span object, struct rp_span left, const struct rp_cuts *cuts)
{
	json_t *before = json_loadb(object.ptr, object.len, JSON_ALLOW_NUL, NULL), *after;
	size_t i;

	if (before == NULL) /* what jansson refuses and the scanner does not: fuzz_run.c */
		return;
	for (i = 0; i < cuts->n; i++)
		take_out(before, cuts->paths[i]);
	after = json_loadb(left.ptr, left.len, JSON_ALLOW_NUL, NULL);
	MUST(after != NULL, "jansson refuses what is left: %.*s", (int)left.len, left.ptr);
	MUST(json_equal(before, after), "not the same tree: %.*s", (int)left.len, left.ptr);
	json_decref(before);
	json_decref(after);
}

static void check(struct rp_span object, const struct rp_cuts *cuts)
{
	struct rp_scan_error err;
	struct rp_buf room = {0}, again = {0};
	struct rp_span left;
	size_t i;

	if (!rp_scan_object(object, NULL, 0, &err))
		return;
	left = left_of(object, cut(object, cuts, &room), &room);
	MUST(rp_scan_object(left, NULL, 0, &err), "no JSON any more: %.*s: %s", (int)left.len,
	     left.ptr, err.message);
	MUST(!cut(left, cuts, &again), "something was left");
	for (i = 0; i < cuts->n; i++)
		MUST(rp_cuts_cover(cuts, cuts->paths[i]), "%s", cuts->paths[i]);
	check_order(left, object);
	check_tree(object, left, cuts);
	check_one_by_one(object, cuts, left);
	rp_buf_release(&room);
	rp_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct rp_span line = fuzz_until(&in, '\n');
	struct rp_cuts cuts = {.n = 0};
	char *paths, *path, *rest;

	if (line.len >= TEXT_MAX)
		return 0;
	paths = fuzz_text(line);
	rest = paths;
	while (cuts.n < RP_CUT_PATHS_MAX && (path = strsep(&rest, ",")) != NULL)
		if (rp_cut_problem(rp_span_of(path)) == NULL)
			cuts.paths[cuts.n++] = path;
	check(fuzz_rest(&in), &cuts);
	free(paths);
	return 0;
}
