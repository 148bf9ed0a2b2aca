/* cut.c - walks the objects that paths lead through, and copies what lies between the cuts. It is
 * apart because it changes bytes, which nothing else on the way in does.
 *
 * Only an object that some path leads into is looked at member by member; any other value is passed
 * over as a whole. */

#include "run/cut.h"

#include "base/assert.h"
#include "text/ascii.h"
#include "text/scan.h"

/* An object that is being walked. */
struct walked {
	const char *steps[RP_CUT_PATHS_MAX]; /* by path: its next step; NULL: it leads elsewhere */
	const char *member;                  /* where the next member begins, with its comma */
	bool keeps_any;                      /* a member before that one stays */
};

struct walk {
	const char *end; /* of the text */
	const struct rp_cuts *cuts;
	struct walked open[RP_CUT_STEPS_MAX];
	size_t depth;
	const char *copied; /* the bytes up to here were appended or cut */
	struct rp_buf *out;
	bool cut, no_memory;
};

const char *rp_cut_problem(struct rp_span path)
{
	size_t from, to, steps = 0, good;
	struct rp_span rest = path;

	if (path.len > RP_CUT_PATH_MAX)
		return "longer than 1024 bytes";
	for (; rest.len > 0; rest = rp_span_part(rest, to, rest.len)) {
		to = rp_utf8_sequence(rest, &good);
		if (to == 0 || rest.ptr[0] == '\0')
			return "not text in UTF-8";
	}
	for (from = 0; from <= path.len; from = to + 1) {
		to = rp_span_find(path, from, '.');
		if (to == from)
			return path.len == 0 ? "empty" : "a dot without a name on both sides";
		if (++steps > RP_CUT_STEPS_MAX)
			return "more than 16 names deep";
	}
	return NULL;
}

bool rp_cuts_cover(const struct rp_cuts *cuts, const char *path)
{
	size_t i, len;

	for (i = 0; i < cuts->n; i++) {
		len = strlen(cuts->paths[i]);
		if (strncmp(path, cuts->paths[i], len) == 0 &&
		    (path[len] == '\0' || path[len] == '.'))
			return true;
	}
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const struct walk *w, const char *p)
{
	while (p < w->end && is_space(*p))
		p++;
	return p;
}

/* From an opening quote to behind the closing one: the first behind an even number of
 * backslashes. */
static const char *skip_string(const struct walk *w, const char *p)
{
	const char *from = p + 1, *quote, *backslash;

	while ((quote = memchr(from, '"', (size_t)(w->end - from))) != NULL) {
		for (backslash = quote; backslash > from && backslash[-1] == '\\';)
			backslash--;
		from = quote + 1;
		if ((quote - backslash) % 2 == 0)
			return from;
	}
	return w->end;
}

/* To behind a value of any kind; of a number or word: to what follows it. */
static const char *skip_value(const struct walk *w, const char *p)
{
	size_t depth = 0;

	while (p < w->end) {
		if (*p == '"') {
			p = skip_string(w, p);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			depth--;
			p++;
		} else if (depth == 0 && (*p == ',' || is_space(*p))) {
			return p;
		} else {
			p++;
			continue;
		}
		if (depth == 0)
			return p;
	}
	return p;
}

/* Whether the member of this name is to be cut. If not, next[] has the paths that lead into it, and
 * *leads says whether there are any. */
static bool match_name(const struct walk *w, struct rp_span name,
		       const char *next[RP_CUT_PATHS_MAX], bool *leads)
{
	const struct walked *o = &w->open[w->depth - 1];
	const char *rest;
	size_t i;

	*leads = false;
	for (i = 0; i < w->cuts->n; i++) {
		rest = o->steps[i] != NULL ? rp_scan_match_name(o->steps[i], name) : NULL;
		next[i] = NULL;
		if (rest != NULL && *rest == '\0')
			return true;
		if (rest != NULL && *rest == '.') {
			next[i] = rest + 1;
			*leads = true;
		}
	}
	return false;
}

static void copy_up_to(struct walk *w, const char *p)
{
	bool ok = rp_buf_add(w->out, w->copied, (size_t)(p - w->copied));

	assert(ok); /* reserved with the first cut */
	(void)ok;
}

/* Behind a member that stays, or a value in it: to the comma, or the end of the text. Closes the
 * objects that end here. */
static const char *end_member(struct walk *w, const char *p)
{
	while (w->depth > 0) {
		w->open[w->depth - 1].keeps_any = true;
		w->open[w->depth - 1].member = p;
		p = skip_space(w, p);
		if (p == w->end || *p != '}')
			return p;
		p++;
		w->depth--;
	}
	return p;
}

/* A member that nothing stays before takes the comma behind it along, any other the one before. */
static const char *cut_member(struct walk *w, const char *value_end)
{
	struct walked *o = &w->open[w->depth - 1];
	const char *p = skip_space(w, value_end);

	if (!w->cut && !rp_buf_reserve(w->out, (size_t)(w->end - w->copied))) {
		w->no_memory = true;
		return w->end;
	}
	w->cut = true;
	copy_up_to(w, o->member);
	if (!o->keeps_any && p < w->end && *p == ',')
		value_end = p + 1;
	w->copied = o->member = value_end;
	if (p == w->end || *p != '}')
		return p;
	w->depth--;
	return end_member(w, p + 1);
}

/* p is behind the brace. An empty object is closed at once. */
static const char *open_object(struct walk *w, const char *p, const char *const *steps)
{
	struct walked *o = &w->open[w->depth++];

	memcpy(o->steps, steps, w->cuts->n * sizeof o->steps[0]);
	o->member = p;
	o->keeps_any = false;
	p = skip_space(w, p);
	if (p == w->end || *p != '}')
		return p;
	w->depth--;
	return end_member(w, p + 1);
}

/* p is at a member's name, or at the comma before it. */
static const char *walk_member(struct walk *w, const char *p)
{
	const char *next[RP_CUT_PATHS_MAX];
	struct rp_span name;
	bool leads;

	if (*p == ',')
		p = skip_space(w, p + 1);
	if (p == w->end || *p != '"')
		return w->end;
	name.ptr = p + 1;
	p = skip_string(w, p);
	name.len = p > name.ptr ? (size_t)(p - name.ptr) - 1 : 0;
	p = skip_space(w, p);
	if (p == w->end || *p != ':')
		return w->end;
	p = skip_space(w, p + 1);
	if (match_name(w, name, next, &leads))
		return cut_member(w, skip_value(w, p));
	if (leads && p < w->end && *p == '{') {
		assert(w->depth < RP_CUT_STEPS_MAX); /* no path has more steps */
		return open_object(w, p + 1, next);
	}
	return end_member(w, skip_value(w, p));
}

bool rp_cut(struct rp_span object, const struct rp_cuts *cuts, struct rp_buf *out, bool *cut)
{
	struct walk w = {.cuts = cuts, .out = out};
	const char *p = object.ptr;

	*cut = false;
	if (object.len == 0)
		return true;
	w.end = object.ptr + object.len;
	w.copied = object.ptr;
	p = skip_space(&w, p);
	if (p == w.end || *p != '{')
		return true;
	p = open_object(&w, p + 1, cuts->paths);
	while (w.depth > 0 && p < w.end && !w.no_memory)
		p = walk_member(&w, p);
	if (w.cut)
		copy_up_to(&w, w.end);
	*cut = w.cut;
	return !w.no_memory;
}
