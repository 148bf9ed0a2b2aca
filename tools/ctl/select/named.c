/* named.c - finds what words name among the endpoints of an outbox. A name is looked up; only a
 * pattern walks the paths, and the pages of a walk are transactions of their own. */

#include "ctl/select/named.h"

#include <stdlib.h>

#include "report/shown.h"

enum { PAGE_KEPT = 256, PAGE_ROWS = 20000 };

struct word {
	const char *text;
	struct rp_endpoint_glob glob;
	uint64_t id; /* of the host or path that it is the name of; 0: it is a pattern */
	bool any;    /* it names something */
};

struct run {
	struct rp_named *n;
	struct word *words;
	size_t n_words;
	bool walks; /* some word is a pattern, or there is none */
	/* the host and section of the last path seen */
	struct rp_known_levels levels;
	uint64_t host, section;
};

/* --- words -------------------------------------------------------------------------- */

static int find_word(struct run *r, struct word *w)
{
	struct rp_ctl *ctl = r->n->ctl;
	enum rp_level level = w->glob.is_host ? RP_LEVEL_HOST : RP_LEVEL_PATH;
	struct rp_span name = w->glob.is_host
				  ? rp_endpoint_glob_host(&w->glob)
				  : (struct rp_span){w->glob.name.data, w->glob.name.len};
	struct rp_error err;
	enum rp_err e = RP_ERR_NOTFOUND;

	if (w->glob.exact && name.len > 0)
		e = rp_outbox_endpoint_find(ctl->ob, level, name, &w->id, &err);
	if (e != RP_OK && e != RP_ERR_NOTFOUND)
		return rp_ctl_fail(&err);
	if (e != RP_OK)
		w->id = 0;
	w->any = e == RP_OK;
	r->walks = r->walks || !w->any;
	return RP_EXIT_OK;
}

static int read_words(struct run *r)
{
	struct rp_ctl *ctl = r->n->ctl;
	int code = RP_EXIT_OK;

	r->words = calloc(ctl->n_names + 1, sizeof r->words[0]);
	if (r->words == NULL)
		return rp_ctl_no_memory();
	r->walks = ctl->n_names == 0;
	for (; r->n_words < ctl->n_names && code == RP_EXIT_OK; r->n_words++) {
		struct word *w = &r->words[r->n_words];

		w->text = ctl->names[r->n_words];
		code = rp_endpoint_glob_init(&w->glob, w->text) ? rp_ctl_resolve_glob(ctl, &w->glob)
								: rp_ctl_no_memory();
		if (code == RP_EXIT_OK)
			code = find_word(r, w);
	}
	return code;
}

static bool see_any(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct run *r = arg;
	bool all = true;
	size_t i;

	(void)id;
	(void)e;
	for (i = 0; i < r->n_words; i++) {
		struct word *w = &r->words[i];

		w->any = w->any || rp_endpoint_glob_match(&w->glob, name);
		all = all && w->any;
	}
	return !all;
}

static int say_unknown(struct rp_ctl *ctl, const char *word)
{
	struct rp_buf shown = {0}, room = {0};
	/* it may be a URL with its token: only what stands before the query is repeated */
	struct rp_span given = rp_shown_name(&ctl->settings->config,
					     (struct rp_span){word, strcspn(word, "?")}, &room);

	rp_text_escape(given, &shown);
	rp_buf_release(&room);
	rp_ctl_say(
	    "%s: no such endpoint in this outbox; `runpostctl endpoints` shows those there are",
	    shown.data != NULL ? shown.data : "");
	rp_buf_release(&shown);
	return RP_EXIT_SOME_FAILED;
}

static int check_words(struct run *r)
{
	struct rp_ctl *ctl = r->n->ctl;
	struct rp_error err;
	size_t i;

	if (r->walks && r->n_words > 0 &&
	    rp_outbox_endpoints(ctl->ob, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0},
				see_any, r, &err) != RP_OK)
		return rp_ctl_fail(&err);
	for (i = 0; i < r->n_words; i++)
		if (!r->words[i].any)
			return say_unknown(ctl, r->words[i].text);
	return RP_EXIT_OK;
}

/* --- pages -------------------------------------------------------------------------- */

struct page {
	const struct run *run;
	bool (*wants)(const struct page *p, uint64_t id, struct rp_span name);
	uint64_t host; /* only what is in it; 0: any */
	uint64_t last; /* the number it came to */
	size_t n_rows, n;
	struct rp_known_endpoint kept[PAGE_KEPT];
	bool more, no_memory;
};

static bool see_row(void *arg, uint64_t id, struct rp_span name, const struct rp_endpoint *e)
{
	struct page *p = arg;
	const struct rp_config *config = &p->run->n->ctl->settings->config;
	struct rp_known_endpoint *k = &p->kept[p->n];
	struct rp_buf room = {0};
	struct rp_span shown = name;

	if (p->host != 0 && rp_level_host(id) != p->host)
		return false;
	p->more = p->n == PAGE_KEPT || p->n_rows++ == PAGE_ROWS;
	if (p->more)
		return false;
	p->last = id;
	if (!p->wants(p, id, name))
		return true;
	if (e->level == RP_LEVEL_PATH)
		shown = rp_shown_name(config, name, &room);
	*k = (struct rp_known_endpoint){.id = id, .e = *e, .n_paths = e->members};
	k->name = strndup(shown.len > 0 ? shown.ptr : "", shown.len);
	rp_buf_release(&room);
	p->no_memory = k->name == NULL;
	p->n += !p->no_memory;
	return !p->no_memory;
}

/* Hosts and sections of many paths stand together. */
static int see_one(struct run *r, struct rp_known_endpoint *k)
{
	struct rp_receiver levels;
	struct rp_error err;

	if (k->e.level == RP_LEVEL_HOST || r->host != rp_level_host(k->id) ||
	    r->section != k->e.section) {
		if (rp_known_levels_load(r->n->ctl->ob, k->id, &r->levels, &err) != RP_OK)
			return rp_ctl_fail(&err);
		r->host = rp_level_host(k->id);
		r->section = k->e.section;
	}
	levels = rp_known_levels_receiver(&r->levels);
	if (k->e.level != RP_LEVEL_PATH)
		levels.at[RP_LEVEL_PATH] = NULL;
	if (k->e.level == RP_LEVEL_HOST)
		levels.at[RP_LEVEL_SECTION] = NULL;
	levels.at[k->e.level] = &k->e;
	return r->n->see(r->n->arg, k, &levels);
}

static int see_page(struct run *r, struct page *p)
{
	int code = p->no_memory ? rp_ctl_no_memory() : RP_EXIT_OK;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (code == RP_EXIT_OK)
			code = see_one(r, &p->kept[i]);
		free(p->kept[i].name);
	}
	if (code == RP_EXIT_OK && r->n->page != NULL && p->n > 0)
		code = r->n->page(r->n->arg);
	return code;
}

static int walk(struct run *r, struct rp_endpoints_which which,
		bool (*wants)(const struct page *p, uint64_t id, struct rp_span name))
{
	uint64_t host = which.of == RP_ENDPOINTS_OF_HOST ? which.id : 0;
	struct page *p = calloc(1, sizeof *p);
	struct rp_error err;
	int code = p != NULL ? RP_EXIT_OK : rp_ctl_no_memory();
	bool more = true;

	while (code == RP_EXIT_OK && more) {
		*p = (struct page){.run = r, .wants = wants, .host = host};
		if (rp_outbox_endpoints(r->n->ctl->ob, which, see_row, p, &err) != RP_OK)
			code = rp_ctl_fail(&err);
		else
			code = see_page(r, p);
		/* sections stand in front of paths, so they are in the first page */
		which = (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, p->last + 1};
		more = p->more;
	}
	free(p);
	return code;
}

/* --- what is seen ------------------------------------------------------------------- */

static bool is_wanted(const struct page *p, uint64_t id, struct rp_span name)
{
	(void)p;
	(void)id;
	(void)name;
	return true;
}

/* By a pattern, and not seen by a name before. */
static bool fits(const struct page *p, uint64_t id, struct rp_span name)
{
	const struct run *r = p->run;
	bool fits = r->n_words == 0;
	size_t i;

	for (i = 0; i < r->n_words; i++) {
		const struct word *w = &r->words[i];

		if (w->id == id || (w->id == rp_level_host(id) && r->n->with_members))
			return false;
		fits = fits || (w->id == 0 && rp_endpoint_glob_match(&w->glob, name));
	}
	return fits;
}

static bool is_repeated(const struct run *r, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (r->words[i].id == r->words[at].id ||
		    (r->n->with_members && r->words[i].id == rp_level_host(r->words[at].id)))
			return true;
	return false;
}

static int see_named(struct run *r)
{
	int code = RP_EXIT_OK;
	size_t i;

	for (i = 0; i < r->n_words && code == RP_EXIT_OK; i++) {
		struct rp_endpoints_which which = {RP_ENDPOINTS_ONE, r->words[i].id};

		if (r->words[i].id == 0 || is_repeated(r, i))
			continue;
		code = walk(r, which, is_wanted);
		which.of = RP_ENDPOINTS_OF_HOST;
		if (code == RP_EXIT_OK && r->n->with_members && r->words[i].glob.is_host)
			code = walk(r, which, is_wanted);
	}
	if (code == RP_EXIT_OK && r->walks)
		code = walk(r, (struct rp_endpoints_which){RP_ENDPOINTS_PATHS, 0}, fits);
	return code;
}

int rp_named_run(struct rp_named *n)
{
	struct run r = {.n = n};
	int code = read_words(&r);
	size_t i;

	if (code == RP_EXIT_OK)
		code = check_words(&r);
	if (code == RP_EXIT_OK)
		code = see_named(&r);
	for (i = 0; i < r.n_words; i++)
		rp_endpoint_glob_release(&r.words[i].glob);
	free(r.words);
	return code;
}
