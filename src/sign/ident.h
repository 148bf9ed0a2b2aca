/* ident.h - entry ids: "msg_" and 26 characters of Crockford base32 over 16 bytes.
 *
 * Bytes 0..5 are the sequence number, so an id leads to its entry without an index and sorts by
 * acceptance; bytes 6..15 are random, so that ids of two outboxes never meet and none can be
 * guessed. Contains no '.', as Standard Webhooks demands of webhook-id. */
#ifndef RP_SIGN_IDENT_H
#define RP_SIGN_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "runpost.h"

#define RP_ID_BYTES 16
#define RP_SEQ_MAX ((UINT64_C(1) << 48) - 1)

void rp_id_make(uint64_t seq, const unsigned char random[10], unsigned char out[RP_ID_BYTES]);
uint64_t rp_id_seq(const unsigned char id[RP_ID_BYTES]);
const char *rp_id_format(const unsigned char id[RP_ID_BYTES], char out[RP_ID_TEXT_MAX]);
/* Accepts lower case and the look-alikes O, I, L of 0, 1, 1. false: not an id. */
bool rp_id_parse(struct rp_span text, unsigned char out[RP_ID_BYTES]);

#endif
