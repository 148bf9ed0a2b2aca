/* notify.c - sends datagrams to systemd. It is apart because nothing else knows of systemd's
 * protocol. */

#include "serve/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void rp_notify(const char *lines)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* a name without a file */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

int64_t rp_notify_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	char *end;
	unsigned long long us;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	us = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && us <= INT64_MAX ? (int64_t)(us / 2000) : 0;
}
