/* Mutant: the directory that names a new outbox is never synced. */
#include <unistd.h>

int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
	(void)fd;
	return 0;
}
