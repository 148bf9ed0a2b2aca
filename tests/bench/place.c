/* place - a place of the bench's own, in which its receivers have names and are far away.
 *
 *   unshare --net --mount place --resolv-conf FILE [--far-ms N]
 *
 * In the namespaces it is started in (it must be alone in them) it brings up the loopback and puts
 * FILE over /etc/resolv.conf. With --far-ms, 192.0.2.1 is this machine's address at a network
 * device of its own, and every other address of 192.0.2.0/24 is this machine again, N milliseconds
 * there and back: the kernel hands packets for it to this program, which returns them half of N
 * later with source and destination exchanged. (A checksum does not depend on their order.)
 *
 * It says "ready", and ends when its input ends: with whoever started it. Others enter by
 * `nsenter --target PID --net --mount`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 1500
#define QUEUE_MAX 8192
#define ADDRESS "192.0.2.1"
#define NETMASK "255.255.255.0"
#define SOURCE_AT 12
#define DESTINATION_AT 16

struct packet {
	int64_t due_us;
	size_t len;
	unsigned char data[PACKET_MAX];
};

/* What is on its way, in the order it came. */
struct way {
	int fd;
	int64_t delay_us;
	size_t first, n;
	struct packet queue[QUEUE_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "place: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void set_address(int sock, struct ifreq *r, unsigned long what, const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &at.sin_addr);
	memcpy(&r->ifr_addr, &at, sizeof at);
	if (ioctl(sock, what, r) != 0)
		die(text);
}

/* With NULL it keeps the addresses it has. */
static void bring_up(const char *device, const char *address)
{
	struct ifreq r = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
	if (address != NULL) {
		set_address(sock, &r, SIOCSIFADDR, address);
		set_address(sock, &r, SIOCSIFNETMASK, NETMASK);
	}
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &r) != 0)
		die(device);
	close(sock);
}

static void open_way(struct way *w, long far_ms)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};

	snprintf(r.ifr_name, sizeof r.ifr_name, "far");
	w->delay_us = far_ms * 500;
	w->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (w->fd < 0 || ioctl(w->fd, TUNSETIFF, &r) != 0)
		die("/dev/net/tun");
	bring_up(r.ifr_name, ADDRESS);
}

static void turn_round(unsigned char *ip)
{
	unsigned char source[4];

	memcpy(source, ip + SOURCE_AT, 4);
	memcpy(ip + SOURCE_AT, ip + DESTINATION_AT, 4);
	memcpy(ip + DESTINATION_AT, source, 4);
}

static void take_packets(struct way *w)
{
	while (w->n < QUEUE_MAX) {
		struct packet *p = &w->queue[(w->first + w->n) % QUEUE_MAX];
		ssize_t n = read(w->fd, p->data, sizeof p->data);

		if (n <= 0)
			return;
		if (p->data[0] >> 4 != 4)
			continue; /* of IPv6 the kernel says a word or two */
		turn_round(p->data);
		p->len = (size_t)n;
		p->due_us = now_us() + w->delay_us;
		w->n++;
	}
}

static void return_packets(struct way *w)
{
	int64_t now = now_us();

	while (w->n > 0 && w->queue[w->first].due_us <= now) {
		/* A packet that the kernel does not take is lost, as on any way. */
		if (write(w->fd, w->queue[w->first].data, w->queue[w->first].len) < 0 &&
		    errno != ENOBUFS && errno != EAGAIN)
			die("a packet");
		w->first = (w->first + 1) % QUEUE_MAX;
		w->n--;
	}
}

static struct timespec wait_for(const struct way *w)
{
	int64_t us = w->n > 0 ? w->queue[w->first].due_us - now_us() : 1000000;

	us = us < 0 ? 0 : us;
	return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

static void stay(struct way *w)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = w->fd}};
	struct timespec ts;

	while (fds[0].revents == 0) {
		fds[1].events = w->n < QUEUE_MAX ? POLLIN : 0;
		ts = wait_for(w);
		if (ppoll(fds, 2, &ts, NULL) < 0)
			die("poll");
		if (w->fd >= 0) {
			take_packets(w);
			return_packets(w);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"resolv-conf", 1, NULL, 'r'}, {"far-ms", 1, NULL, 'f'}, {0}};
	static struct way way = {.fd = -1};
	const char *resolv_conf = NULL;
	long far_ms = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			resolv_conf = optarg;
		else if (c == 'f')
			far_ms = strtol(optarg, NULL, 10);
	}
	if (resolv_conf == NULL || optind != argc) {
		fprintf(stderr, "usage: place --resolv-conf FILE [--far-ms N]\n");
		return 64;
	}
	if (mount(resolv_conf, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0)
		die("/etc/resolv.conf");
	bring_up("lo", NULL);
	if (far_ms > 0)
		open_way(&way, far_ms);
	printf("ready\n");
	fflush(stdout);
	stay(&way);
	return 0;
}
