/* json.c - calls jansson. It is the one file that does, so that the rest of the program never
 * meets a tree or a reference count. */

#include "text/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/units.h"
#include "text/scan.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

bool rp_json_decode_string(struct rp_span raw, struct rp_buf *out)
{
	json_t *value;
	bool ok;

	/* jansson tells a lack of memory as bad syntax; the allocator says what it was */
	errno = 0;
	if (raw.len < 2 || raw.ptr[0] != '"' || raw.ptr[raw.len - 1] != '"')
		return false;
	if (memchr(raw.ptr, '\\', raw.len) == NULL)
		return rp_buf_add(out, raw.ptr + 1, raw.len - 2);
	value = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY, NULL);
	if (value == NULL)
		return false;
	ok = json_is_string(value) &&
	     rp_buf_add(out, json_string_value(value), json_string_length(value));
	json_decref(value);
	return ok;
}

bool rp_json_each_string(struct rp_span raw,
			 bool (*see)(void *arg, const char *name, const char *value), void *arg,
			 char **bad_name)
{
	json_t *object, *value;
	const char *name;
	bool ok;

	*bad_name = NULL;
	errno = 0;
	object = json_loadb(raw.ptr, raw.len, 0, NULL);
	ok = json_is_object(object);
	json_object_foreach(object, name, value)
	{
		if (!json_is_string(value)) {
			*bad_name = strdup(name);
			ok = false;
		} else {
			ok = see(arg, name, json_string_value(value));
		}
		if (!ok)
			break;
	}
	json_decref(object);
	return ok;
}

struct rp_json_out {
	json_t *object;
	bool failed;
};

struct rp_json_out *rp_json_out_new(void)
{
	struct rp_json_out *o = malloc(sizeof *o);

	if (o == NULL)
		return NULL;
	o->object = json_object();
	o->failed = o->object == NULL;
	return o;
}

void rp_json_out_free(struct rp_json_out *o)
{
	if (o == NULL)
		return;
	json_decref(o->object);
	free(o);
}

static void set(struct rp_json_out *o, const char *name, json_t *value)
{
	if (o == NULL)
		json_decref(value);
	else if (json_object_set_new(o->object, name, value) != 0)
		o->failed = true;
}

/* Appends text, every byte sequence that is not UTF-8 replaced. */
static bool add_as_utf8(struct rp_buf *out, struct rp_span text)
{
	size_t n, good;

	while (text.len > 0) {
		n = rp_utf8_sequence(text, &good);
		if (!(n > 0 ? rp_buf_add(out, text.ptr, n) : rp_buf_add_text(out, replacement)))
			return false;
		if (n == 0)
			n = good > 0 ? good : 1;
		text.ptr += n;
		text.len -= n;
	}
	return true;
}

void rp_json_out_span(struct rp_json_out *o, const char *name, struct rp_span value)
{
	json_t *text = json_stringn(value.len > 0 ? value.ptr : "", value.len);
	struct rp_buf mended = {0};

	if (text == NULL && add_as_utf8(&mended, value))
		text = json_stringn(mended.data, mended.len);
	rp_buf_release(&mended);
	set(o, name, text);
}

void rp_json_out_text(struct rp_json_out *o, const char *name, const char *value)
{
	if (value == NULL)
		rp_json_out_null(o, name);
	else
		rp_json_out_span(o, name, rp_span_of(value));
}

void rp_json_out_given(struct rp_json_out *o, const char *name, struct rp_span value)
{
	if (value.len > 0)
		rp_json_out_span(o, name, value);
	else
		rp_json_out_null(o, name);
}

void rp_json_out_int(struct rp_json_out *o, const char *name, int64_t value)
{
	set(o, name, json_integer(value));
}

void rp_json_out_real(struct rp_json_out *o, const char *name, double value)
{
	set(o, name, json_real(value));
}

void rp_json_out_bool(struct rp_json_out *o, const char *name, bool value)
{
	set(o, name, json_boolean(value));
}

void rp_json_out_null(struct rp_json_out *o, const char *name)
{
	set(o, name, json_null());
}

void rp_json_out_time(struct rp_json_out *o, const char *name, int64_t at_ms)
{
	char text[RP_TIME_TEXT_MAX];

	rp_json_out_text(o, name, at_ms != 0 ? rp_time_format(at_ms, text) : NULL);
}

/* The child's object; the child is freed. NULL, which no container takes: the child had failed. */
static json_t *consume(struct rp_json_out *child)
{
	json_t *object = NULL;

	if (child != NULL && !child->failed)
		object = json_incref(child->object);
	rp_json_out_free(child);
	return object;
}

void rp_json_out_object(struct rp_json_out *o, const char *name, struct rp_json_out *child)
{
	set(o, name, consume(child));
}

void rp_json_out_array(struct rp_json_out *o, const char *name)
{
	if (o != NULL && json_object_get(o->object, name) == NULL)
		set(o, name, json_array());
}

void rp_json_out_push(struct rp_json_out *o, const char *name, struct rp_json_out *child)
{
	json_t *object = consume(child), *array;

	if (o == NULL) {
		json_decref(object);
		return;
	}
	rp_json_out_array(o, name);
	array = json_object_get(o->object, name);
	assert(array == NULL || json_is_array(array));
	if (json_array_append_new(array, object) != 0)
		o->failed = true;
}

/* jansson goes on where a key could not be added, and says that all was well. */
struct dump {
	struct rp_buf *out;
	bool failed;
};

static int add_dumped(const char *bytes, size_t n, void *arg)
{
	struct dump *d = arg;

	d->failed = d->failed || !rp_buf_add(d->out, bytes, n);
	return d->failed ? -1 : 0;
}

static void cut_back(struct rp_buf *b, size_t len)
{
	b->len = len;
	if (b->data != NULL)
		b->data[len] = '\0';
}

bool rp_json_out_print(const struct rp_json_out *o, struct rp_buf *out)
{
	/* With 17 digits, jansson's default, 0.1 would be printed as 0.10000000000000001. */
	const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
	struct dump d = {.out = out};
	size_t len = out->len;

	if (o != NULL && !o->failed && json_dump_callback(o->object, add_dumped, &d, flags) == 0 &&
	    !d.failed)
		return true;
	cut_back(out, len);
	return false;
}

static bool add_escaped(struct rp_buf *out, char c)
{
	static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *control;
	char two[2] = {'\\', c};

	if (c == '"' || c == '\\')
		return rp_buf_add(out, two, 2);
	control = c != '\0' ? strchr(controls, c) : NULL;
	if (control == NULL)
		return rp_buf_printf(out, "\\u%04x", (unsigned)c);
	two[1] = letters[control - controls];
	return rp_buf_add(out, two, 2);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static bool add_quoted(struct rp_span text, struct rp_buf *out)
{
	size_t i = 0, from;
	bool ok = rp_buf_add_char(out, '"');

	while (ok && i < text.len) {
		for (from = i; i < text.len && is_plain(text.ptr[i]);)
			i++;
		if (i > from) {
			ok = rp_buf_add(out, text.ptr + from, i - from);
		} else if ((unsigned char)text.ptr[i] < 0x80) {
			ok = add_escaped(out, text.ptr[i++]);
		} else {
			while (i < text.len && (unsigned char)text.ptr[i] >= 0x80)
				i++;
			ok = add_as_utf8(out, (struct rp_span){text.ptr + from, i - from});
		}
	}
	return ok && rp_buf_add_char(out, '"');
}

/* Most texts need no escape and are copied in one piece. */
static bool add_as_it_is(struct rp_span text, struct rp_buf *out)
{
	char *at;

	if (!rp_buf_reserve(out, text.len + 2))
		return false;
	at = out->data + out->len;
	at[0] = '"';
	if (text.len > 0)
		memcpy(at + 1, text.ptr, text.len);
	at[text.len + 1] = '"';
	at[text.len + 2] = '\0';
	out->len += text.len + 2;
	return true;
}

bool rp_json_quote(struct rp_span text, struct rp_buf *out)
{
	size_t len = out->len, i;

	for (i = 0; i < text.len && is_plain(text.ptr[i]);)
		i++;
	if (i == text.len)
		return add_as_it_is(text, out);
	if (add_quoted(text, out))
		return true;
	cut_back(out, len);
	return false;
}
