/* audit.h - the log of changes: who did what, when and why. */
#ifndef RP_CTL_CHANGE_AUDIT_H
#define RP_CTL_CHANGE_AUDIT_H

#include "ctl/ctl.h"

#define RP_WHO_TEXT_MAX 160

/* The name of the user that runs the tool; with sudo also whose it was: "root (alice)". Returns
 * out. */
const char *rp_who(uint32_t *uid, char out[RP_WHO_TEXT_MAX]);

/* Writes a record for the verb at hand (its name with `sub` behind it, which may be NULL) with
 * --reason. Result: exit code. */
int rp_ctl_audit_add(struct rp_ctl *ctl, const char *sub, struct rp_span what, uint64_t done,
		     uint64_t *number);

/* Sets its count, at the end. Result: exit code. */
int rp_ctl_audit_count(struct rp_ctl *ctl, uint64_t number, uint64_t done);

/* A record for what reads or writes a file with secrets in it: the path, from / on ("-" is the
 * standard stream), and the selector. Result: exit code. */
int rp_ctl_audit_file(struct rp_ctl *ctl, const char *path, uint64_t *number);

/* Starts a planned job for the user at hand, with --rate and --reason; the record is written with
 * it. Result: exit code. */
int rp_start_job(struct rp_ctl *ctl, uint64_t number);

#endif
