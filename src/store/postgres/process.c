/* process.c - looks into /proc to tell which processes run. */
#include "store/postgres/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS_BEFORE_START 19 /* after the name: of /proc/PID/stat the 22nd is the start time */

static size_t read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

const char *rp_pg_machine(char out[RP_PG_MACHINE_MAX])
{
	char boot[64], names[32];
	ssize_t n = readlink("/proc/self/ns/pid", names, sizeof names - 1);

	out[0] = '\0';
	if (n <= 0 || read_file("/proc/sys/kernel/random/boot_id", boot, sizeof boot) == 0)
		return out;
	names[n] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	snprintf(out, RP_PG_MACHINE_MAX, "%s %s", boot, names);
	return out;
}

int64_t rp_pg_process_started(uint32_t pid)
{
	char path[32], text[1024], *at;
	int i;

	snprintf(path, sizeof path, "/proc/%u/stat", pid);
	if (read_file(path, text, sizeof text) == 0)
		return 0;
	at = strrchr(text, ')'); /* the name may have anything in it */
	for (i = 0; at != NULL && i <= FIELDS_BEFORE_START; i++)
		at = strchr(at + 1, ' ');
	return at != NULL ? strtoll(at, NULL, 10) : 0;
}
