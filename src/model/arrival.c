/* The rules of an entry that another outbox had. They stand apart from transition.c, which knows
 * neither ids nor the other entries. */
#include "model/arrival.h"

#include "sign/ident.h"

/* No outbox gets so far; a forged id must not use the numbers up. */
#define SEQ_AHEAD_MAX (RP_SEQ_MAX / 2)

enum rp_import_kind rp_arrival_kind(bool has_id, bool has_dedupe_key)
{
	if (has_id)
		return RP_IMPORT_PRESENT;
	return has_dedupe_key ? RP_IMPORT_DUPLICATE : RP_IMPORT_DONE;
}

bool rp_arrival_number(uint64_t own, uint64_t *next_seq, uint64_t *seq)
{
	bool keeps = own >= *next_seq && own <= SEQ_AHEAD_MAX;

	*seq = keeps ? own : *next_seq;
	*next_seq = *seq + 1;
	return keeps;
}
