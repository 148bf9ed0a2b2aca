/* sys.h - the only door to clocks and randomness. Tests replace the struct; nobody else calls clock_gettime or getrandom.
 *
 * Two clocks. wall_ms: UTC, may be stored, may step. boot_ms: CLOCK_BOOTTIME, never steps, comparable between processes of
 * one boot, never stored across boots. Read the clock once per loop turn and pass the value down. */
#ifndef RP_BASE_SYS_H
#define RP_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>

struct rp_sys {
	int64_t (*wall_ms)(void *arg);
	int64_t (*boot_ms)(void *arg);
	void (*random)(void *arg, void *out,
		       size_t n); /* aborts when the kernel gives none: an id must never be guessable */
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

/* Stopwatch for measurements, in microseconds of CLOCK_MONOTONIC; not replaced in tests, never used in a decision. */
int64_t rp_sys_stopwatch_us(void);

#endif
