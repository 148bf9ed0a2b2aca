/* config_parser.c - keeps strings and line numbers while a configuration is parsed. It is apart
 * because the files that parse share it. */

#include "config/config_parser.h"

#include <stdlib.h>

#include "base/assert.h"
#include "config/config_error.h"

/* A string that the config owns; all of them are in a list. */
struct string {
	struct string *next;
	char text[];
};

const char *rp_config_copy(struct rp_config_parser *p, struct rp_span text)
{
	struct string *s = malloc(sizeof *s + text.len + 1);

	if (s == NULL) {
		rp_config_fail_memory(p);
		return NULL;
	}
	memcpy(s->text, text.ptr, text.len);
	s->text[text.len] = '\0';
	s->next = p->config->owned;
	p->config->owned = s;
	return s->text;
}

void rp_config_free_copies(struct rp_config *config)
{
	struct string *s = config->owned, *next;

	for (; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	config->owned = NULL;
}

struct rp_span rp_config_trim(struct rp_span s)
{
	while (s.len > 0 && strchr(" \t\r\f\v", s.ptr[0]) != NULL && s.ptr[0] != '\0') {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && strchr(" \t\r\f\v", s.ptr[s.len - 1]) != NULL &&
	       s.ptr[s.len - 1] != '\0')
		s.len--;
	return s;
}

unsigned rp_config_line_of(const struct rp_config_parser *p, enum rp_section section,
			   const char *name)
{
	const struct rp_setting *s = rp_setting_find(section, name);

	assert(s != NULL);
	return p->set_on[rp_setting_index(s)];
}
