/* scan.h - a validating JSON scanner (RFC 8259) that finds the spans of wanted members and builds
 * no tree.
 *
 * Whatever the grammar allows passes: 1e400, 30-digit integers, \u0000, lone surrogate escapes,
 * duplicate keys (the last one wins, as in every common parser). Refused: anything the grammar
 * does not allow, invalid UTF-8, a byte order mark, nesting beyond RP_SCAN_DEPTH_MAX, bytes after
 * the value. It neither recurses nor allocates. */
#ifndef RP_TEXT_SCAN_H
#define RP_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define RP_SCAN_DEPTH_MAX 1024

enum rp_json_type {
	RP_JSON_MISSING = 0,
	RP_JSON_OBJECT,
	RP_JSON_ARRAY,
	RP_JSON_STRING,
	RP_JSON_NUMBER,
	RP_JSON_TRUE,
	RP_JSON_FALSE,
	RP_JSON_NULL,
};

/* A member to look for and where it was found. `name` is compared with the decoded key (escapes in
 * keys count). A dotted name such as "kwargs.webhook" looks one level into an object member; keys
 * containing dots are not addressable.
 */
struct rp_json_want {
	const char *name;
	enum rp_json_type type; /* out */
	struct rp_span raw;     /* out: exactly the value's bytes, a string with its quotes */
};

struct rp_scan_error {
	size_t offset;       /* of the offending byte; = length when the text ends too early */
	const char *message; /* static, e.g. "the text ends inside a string" */
	bool cut_off;        /* the text is a proper prefix of something valid: it was cut off */
};

/* Validates the whole text, which must be one object (leading and trailing JSON white space
 * allowed), and fills wants. false: *err says where and what; the wants are unspecified. */
bool rp_scan_object(struct rp_span text, struct rp_json_want *wants, size_t n_wants,
		    struct rp_scan_error *err);

/* Compares a member's name, as it stands between its quotes in a text that rp_scan_object takes,
 * with the first name of a dotted path. Returns what follows that in the path, a dot or the end;
 * anything else, or NULL: it is another name. */
const char *rp_scan_match_name(const char *path, struct rp_span name);

/* The length (1 to 4) of the UTF-8 sequence at the start of text; 0: none stands there (RFC 3629:
 * no overlong forms, no surrogates, nothing above U+10FFFF), or text ends inside it. *good_bytes:
 * how many bytes were right so far. */
size_t rp_utf8_sequence(struct rp_span text, size_t *good_bytes);

#endif
