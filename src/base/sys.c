/* sys.c - reads the real clocks and the kernel's randomness. It is the only file that calls
 * them, so that tests can replace both. */

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clocks.h"

static int64_t real_wall_ms(void *arg)
{
	(void)arg;
	return rp_clocks_us(CLOCK_REALTIME) / 1000;
}

static int64_t real_boot_ms(void *arg)
{
	(void)arg;
	return rp_clocks_us(CLOCK_BOOTTIME) / 1000;
}

/* A sandbox may forbid getrandom and still have the device. */
static bool read_urandom(void *out, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, out, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Straight from the kernel. A block kept between calls would be shared by threads, and be the same
 * in forked children: whoever needs much asks for it at once. */
static void real_random(void *arg, void *out, size_t n)
{
	unsigned char *p = out;
	ssize_t got;

	(void)arg;
	while (n > 0) {
		got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (!read_urandom(p, n))
				rp_abort("runpost: the kernel gives no random bytes (getrandom, "
					 "/dev/urandom)\n");
			return;
		}
		p += got;
		n -= (size_t)got;
	}
}

const struct rp_sys rp_sys_real = {real_wall_ms, real_boot_ms, real_random, NULL};

int64_t rp_sys_stopwatch_us(void)
{
	return rp_clocks_us(CLOCK_MONOTONIC);
}

void rp_sys_pause_ms(int64_t ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

bool rp_sys_hold_stdio(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The wrong way round on purpose, and the lowest free number: those below are
		 * taken. */
		if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}
