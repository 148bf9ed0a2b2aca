/* program.h - what the programs `runpost` and `runpost-sender` do alike, before their work and
 * after it. */
#ifndef RP_CMD_PROGRAM_H
#define RP_CMD_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Sets up standard input and output, calls run(argc, argv) and sees to it that what it printed has
 * been written. Returns its exit code, or 74. */
int rp_program(int (*run)(int argc, char **argv), int argc, char **argv);

/* The path of the file of this program. false: told on stderr, as of `verb`. */
bool rp_program_path(const char *verb, char *out, size_t size);

#endif
