/* options.h - the command line of all verbs: one table of options. */
#ifndef RP_CTL_OPTIONS_H
#define RP_CTL_OPTIONS_H

#include "ctl/common/ctl.h"

/* Reads the words behind the verb into ctl (verb, now_at_ms and the terminal facts are set).
 * Result: -1: go on; else the program ends with this exit code: help was asked for and given, or
 * the usage was wrong and has been said. */
int rp_options_read(struct rp_ctl *ctl, int argc, char **argv);

/* Help of one verb on stdout. */
void rp_options_help(const struct rp_verb *verb);

#endif
