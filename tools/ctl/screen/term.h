/* term.h - a whole screen of the terminal, and the terminal as it was found when it ends: on
 * return, on SIGINT, SIGTERM, SIGHUP, SIGQUIT, on Ctrl-Z and back, and when the program crashes.
 * ANSI sequences and termios, nothing else. */
#ifndef RP_CTL_SCREEN_TERM_H
#define RP_CTL_SCREEN_TERM_H

#include <stdbool.h>

#include "base/bytes.h"

/* NULL: the screen can be taken; else a static sentence that says why not. */
const char *rp_term_problem(void);
/* Takes the screen. false: errno. */
bool rp_term_open(void);
/* Standard error was diverted; on a crash it is `fd` again. -1: no longer. */
void rp_term_errors_were(int fd);
/* Gives it back. Harmless when it was not taken. */
void rp_term_close(void);

enum rp_term_event { RP_TERM_QUIT = 1, RP_TERM_RESIZED = 2 };
/* What signals brought since the last call. Ctrl-Z is dealt with here: the screen is given back,
 * the program stops, and when it goes on it has the screen again (RESIZED). */
unsigned rp_term_events(void);
void rp_term_size(unsigned *rows, unsigned *cols);

/* Waits for a key, for more_fd (-1: none) or for so long; signals end it. *more: more_fd is
 * readable. The bytes typed are put into keys[]; result: how many, 0 none, -1 the terminal has
 * gone. */
int rp_term_wait(int timeout_ms, int more_fd, bool *more, char *keys, size_t size);
/* false: the terminal has gone. */
bool rp_term_write(struct rp_span bytes);

#endif
