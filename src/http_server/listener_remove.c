/* listener_remove.c - removes the file of a socket that this process made. It is apart because both
 * kinds of listeners are closed in one way. */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http_server/listener_int.h"

void rp_http_listener_remove_file(const struct rp_http_listener *listener)
{
	const char *path = listener->url + strlen("unix:");
	struct stat there;

	if (listener->maker == 0 || listener->maker != getpid())
		return;
	if (lstat(path, &there) == 0 && there.st_dev == listener->dev &&
	    there.st_ino == listener->ino)
		unlink(path);
}
