/* sys.h - the door to clocks and randomness, and what a process needs before it opens a file. Tests
 * replace the struct; nobody else calls getrandom or, but for the log, reads a clock.
 *
 * Two clocks. wall_ms: UTC, may be stored, may step. boot_ms: CLOCK_BOOTTIME, never steps,
 * comparable between processes of one boot, never stored across boots. Read the clock once per
 * loop turn and pass the value down. */
#ifndef RP_BASE_SYS_H
#define RP_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rp_sys {
	int64_t (*wall_ms)(void *arg);
	int64_t (*boot_ms)(void *arg);
	/* A system call: ask for much at once. Aborts when the kernel gives none: an id must never
	 * be guessable. */
	void (*random)(void *arg, void *out, size_t n);
	void *arg;
};

extern const struct rp_sys rp_sys_real;

static inline int64_t rp_sys_wall_ms(const struct rp_sys *sys)
{
	return sys->wall_ms(sys->arg);
}

static inline int64_t rp_sys_boot_ms(const struct rp_sys *sys)
{
	return sys->boot_ms(sys->arg);
}

static inline void rp_sys_random(const struct rp_sys *sys, void *out, size_t n)
{
	sys->random(sys->arg, out, n);
}

/* Stopwatch for measurements, in microseconds of CLOCK_MONOTONIC; not replaced in tests, never
 * used in a decision. */
int64_t rp_sys_stopwatch_us(void);

/* Sleeps, at most for so long: a signal may end it. */
void rp_sys_pause_ms(int64_t ms);

/* Makes sure that descriptors 0, 1 and 2 are taken, so that no file opened later becomes standard
 * output: a program started with `>&-` would print into its database. Closed ones stay useless:
 * reading or writing them fails with EBADF. Call it before anything is opened. false: errno tells
 * why not. */
bool rp_sys_hold_stdio(void);

#endif
