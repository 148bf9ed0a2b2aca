/* record_int.h - private to src/model: what every stored record begins and ends with. */
#ifndef RP_MODEL_RECORD_INT_H
#define RP_MODEL_RECORD_INT_H

#include "base/bytes.h"

#define RP_RECORD_VERSION 1
#define RP_RECORD_SUM_BYTES 8

/* Appends the checksum of what was written from `start`; 0 when anything did not fit, else the
 * length of all. */
size_t rp_record_seal(struct rp_writer *w, void *start, uint64_t seed);
/* A reader over the record behind its version and without its checksum; not ok when either is
 * wrong. */
struct rp_reader rp_record_unseal(const void *mem, size_t size, uint64_t seed);

#endif
