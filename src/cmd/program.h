/* program.h - what the programs `runpost` and `runpost-sender` do alike, before their work and
 * after it. */
#ifndef RP_CMD_PROGRAM_H
#define RP_CMD_PROGRAM_H

#include <stdbool.h>

/* Sets up standard input and output, calls run(argc, argv) and sees to it that what it printed has
 * been written. Returns its exit code, or 74. */
int rp_program(int (*run)(int argc, char **argv), int argc, char **argv);

/* In one object of both programs: a build that made only some objects again does not make them
 * differ. */
extern const char rp_program_version[];

/* Leaves a mark for the program that this process becomes: its process id and this version, in the
 * environment. false: errno says why. */
bool rp_program_mark(void);

/* The version of the program that left a mark and became this one; NULL if none did. Takes the mark
 * away, so that no child has it. */
const char *rp_program_marked(void);

/* The path of the file of this program, without links. Does not need /proc. `out` has room for
 * PATH_MAX bytes. false: told on stderr, as of `verb`. */
bool rp_program_path(const char *verb, char *out);

#endif
