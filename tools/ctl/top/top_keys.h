/* top_keys.h - bytes of a terminal -> keys. Pure. */
#ifndef RP_CTL_TOP_TOP_KEYS_H
#define RP_CTL_TOP_TOP_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum rp_key_code {
	RP_KEY_NONE = 0, /* nothing is left, or a sequence that has only begun */
	/* a printable ASCII character stands for itself */
	RP_KEY_ENTER = 0x100,
	RP_KEY_ESCAPE,
	RP_KEY_BACKSPACE,
	RP_KEY_UP,
	RP_KEY_DOWN,
	RP_KEY_PAGE_UP,
	RP_KEY_PAGE_DOWN,
	RP_KEY_HOME,
	RP_KEY_END,
	RP_KEY_OTHER, /* something that no key here is bound to */
};

struct rp_keys {
	unsigned char bytes[64];
	size_t n;
};

/* What does not fit is dropped: nobody types so fast. */
void rp_keys_put(struct rp_keys *k, const void *bytes, size_t n);
/* The next key. `waited`: nothing has come for a while, so an escape that stands alone is the key
 * and not the beginning of a sequence. */
int rp_keys_next(struct rp_keys *k, bool waited);

#endif
