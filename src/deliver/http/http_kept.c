/* http_kept.c - judges whether a kept connection may be used again. It is apart because it
 * remembers receivers whose connections carried surplus bytes, which belong to no answer.
 *
 * On a kept connection, whatever comes may belong to the answer before. So these are the rules:
 * - An answer is what its head says. Some heads leave open where the next answer begins: a 204 or
 *   304 that announces a body, two different lengths, a length beside chunks. Then the connection
 *   is not used again.
 * - Before a request is written, socket and TLS session must be open and empty. TLS records that
 *   came are decrypted, so that an alert or a session ticket is not taken for an answer.
 * - In these cases what comes decides nothing:
 *   - It is no status line, or the connection ends before an answer.
 *   - It is a 408, which is a farewell to an idle client.
 *   - It would end the endpoint or the entry: a 410, or a webhook-delivery wish without a 2xx.
 *   - It is premature: the host of the receiver had not confirmed a byte of the request. This is
 *     known of requests of up to 32 KiB.
 *   Then the attempt is made again, once, on a fresh connection. libcurl does the same for
 *   connections that end, but counts to five over the life of a handle.
 * - After surplus bytes, or after a 410 that the second answer did not confirm, the receiver gets
 *   each request on a connection of its own for an hour. So only the requests that were written
 *   before the first surplus bytes were seen are made twice: 400 deliveries took at most 404
 *   requests, and 588 to 695 without these rules. */

#include "deliver/http/http_kept.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/sys.h"
#include "sign/crypto_tls.h"

#define SURPLUS_MAX 64
/* Somebody may mend the receiver. After an hour, finding out costs a few requests twice. */
#define SURPLUS_MS ((int64_t)3600 * 1000)
#define WRITTEN_AT_ONCE_MAX ((size_t)32 << 10) /* libcurl writes up to 64 KiB with one call */
#define TLS_LOOK_BYTES 17408                   /* a record and more: RFC 8446, 5.2 */
#define FNV_BASIS 14695981039346656037u        /* FNV-1a, 64 bits: draft-eastlake-fnv */
#define FNV_PRIME 1099511628211u

struct surplus_receiver {
	uint64_t receiver;
	int64_t until_ms; /* on the boot clock */
};

struct connection {
	uint64_t ends; /* their hash; 0: none is known by this descriptor */
	int next;      /* of the same head */
};

/* libcurl tells a callback the ends of a connection, but its descriptor only when the socket is
 * made. */
struct rp_http_kept {
	struct surplus_receiver surplus[SURPLUS_MAX];
	size_t n_surplus;
	struct connection *of_fd;
	size_t n_fds;
	size_t mask; /* of heads */
	int heads[]; /* by the low bits of the hash: a descriptor; -1: none */
};

static uint64_t hash_add(uint64_t hash, const char *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
	return hash;
}

struct rp_http_kept *rp_http_kept_new(unsigned connections)
{
	struct rp_http_kept *kept;
	size_t n_heads = 64;

	while (n_heads < connections)
		n_heads *= 2;
	kept = calloc(1, sizeof *kept + n_heads * sizeof kept->heads[0]);
	if (kept == NULL)
		return NULL;
	kept->mask = n_heads - 1;
	memset(kept->heads, -1, n_heads * sizeof kept->heads[0]);
	return kept;
}

void rp_http_kept_free(struct rp_http_kept *kept)
{
	if (kept != NULL)
		free(kept->of_fd);
	free(kept);
}

/* libcurl chose the address family. The local port tells whether this is the socket. */
static int opened_fd(const struct rp_transfer *t, const struct rp_http_ends *ends)
{
	int fd = t->opened_fd[strchr(ends->peer_ip, ':') != NULL];
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	in_port_t port;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return -1;
	port = sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
					: ((struct sockaddr_in *)&sa)->sin_port;
	return ntohs(port) == ends->local_port ? fd : -1;
}

static uint64_t hash_of_ends(const struct rp_http_ends *ends)
{
	const int ports[] = {ends->local_port, ends->peer_port};
	uint64_t hash = hash_add(FNV_BASIS, ends->local_ip, strlen(ends->local_ip) + 1);

	hash = hash_add(hash, ends->peer_ip, strlen(ends->peer_ip) + 1);
	hash = hash_add(hash, (const char *)ports, sizeof ports);
	return hash != 0 ? hash : 1;
}

static int find(const struct rp_http_kept *kept, uint64_t hash)
{
	int fd = kept->heads[hash & kept->mask];

	while (fd >= 0 && kept->of_fd[fd].ends != hash)
		fd = kept->of_fd[fd].next;
	return fd;
}

void rp_http_kept_forget(struct rp_http_kept *kept, int fd)
{
	int *link;

	if ((size_t)fd >= kept->n_fds || kept->of_fd[fd].ends == 0)
		return;
	link = &kept->heads[kept->of_fd[fd].ends & kept->mask];
	while (*link != fd)
		link = &kept->of_fd[*link].next;
	*link = kept->of_fd[fd].next;
	kept->of_fd[fd].ends = 0;
}

static bool reserve(struct rp_http_kept *kept, int fd)
{
	size_t n = ((size_t)fd + 1) * 2;
	struct connection *more;

	if ((size_t)fd < kept->n_fds)
		return true;
	more = realloc(kept->of_fd, n * sizeof *more);
	if (more == NULL)
		return false;
	memset(more + kept->n_fds, 0, (n - kept->n_fds) * sizeof *more);
	kept->of_fd = more;
	kept->n_fds = n;
	return true;
}

/* Without memory the descriptor is not known later, and the connection is not checked. */
static void note(struct rp_http_kept *kept, uint64_t hash, int fd)
{
	int *head = &kept->heads[hash & kept->mask];

	if (fd < 0 || !reserve(kept, fd))
		return;
	rp_http_kept_forget(kept, fd);
	kept->of_fd[fd] = (struct connection){hash, *head};
	*head = fd;
}

static bool is_tls(const struct rp_transfer *t)
{
	return strncasecmp(t->request.url, "https:", 6) == 0;
}

void *rp_transfer_tls(struct rp_transfer *t)
{
	struct curl_tlssessioninfo *info = NULL;

	if (!is_tls(t) || curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
	    info == NULL || info->backend != CURLSSLBACKEND_OPENSSL)
		return NULL;
	return info->internals;
}

/* Whether the records that came hold data; an alert or a session ticket is none. This reads the
 * records off, so the connection cannot be used any more. */
static bool has_tls_data(const struct rp_transfer *t, void *tls)
{
	char records[TLS_LOOK_BYTES];
	struct rp_buf plain = {0};
	ssize_t n = recv(t->fd, records, sizeof records, MSG_DONTWAIT);
	bool found = n > 0 &&
		     rp_tls_decrypt(tls, (struct rp_span){records, (size_t)n}, 1, &plain) &&
		     plain.len > 0;

	rp_buf_release(&plain);
	return found;
}

/* What a receiver says as it closes is a farewell, such as a 408. */
static bool is_farewell(const struct rp_transfer *t, void *tls)
{
	struct pollfd p = {.fd = t->fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) != 0)
		return true;
	return is_tls(t) && (tls == NULL || !has_tls_data(t, tls));
}

bool rp_http_kept_is_fit(struct rp_transfer *t, const struct rp_http_ends *ends)
{
	uint64_t hash = hash_of_ends(ends);
	void *tls;
	char byte;
	ssize_t n;

	if (t->notes.sockets > 0) {
		t->fd = opened_fd(t, ends);
		note(t->shared->kept, hash, t->fd);
		return true;
	}
	t->fd = find(t->shared->kept, hash);
	if (t->fd < 0)
		return true;
	tls = rp_transfer_tls(t);
	n = recv(t->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (tls != NULL && rp_tls_has_pending(tls))
		t->notes.surplus = true;
	else if (n > 0)
		t->notes.surplus = !is_farewell(t, tls);
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	t->notes.unfit = true;
	return false;
}

bool rp_http_kept_is_premature(const struct rp_transfer *t)
{
	long written = 0;
	int unconfirmed = 0;

	if (t->notes.sockets > 0 || t->fd < 0 ||
	    t->head.len + t->request.body.len > WRITTEN_AT_ONCE_MAX)
		return false;
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &written);
	return written > 0 && ioctl(t->fd, SIOCOUTQ, &unconfirmed) == 0 && unconfirmed >= written;
}

uint64_t rp_http_receiver(const char *url, size_t *bytes)
{
	const char *host = strstr(url, "://");
	size_t n = host != NULL ? strcspn(host + 3, "/?#") : 0;

	*bytes = n > 0 ? (size_t)(host - url) + 3 + n : strlen(url);
	return hash_add(FNV_BASIS, url, *bytes);
}

bool rp_http_kept_has_surplus(const struct rp_http_kept *kept, const char *url)
{
	uint64_t receiver;
	size_t i, bytes;

	if (kept->n_surplus == 0)
		return false;
	receiver = rp_http_receiver(url, &bytes);
	for (i = 0; i < kept->n_surplus; i++) {
		if (kept->surplus[i].receiver == receiver)
			return rp_sys_boot_ms(&rp_sys_real) < kept->surplus[i].until_ms;
	}
	return false;
}

void rp_http_kept_note_surplus(struct rp_http_kept *kept, const char *url)
{
	size_t i, bytes, at = 0;
	uint64_t receiver = rp_http_receiver(url, &bytes);

	if (rp_http_kept_has_surplus(kept, url))
		return;
	for (i = 1; i < kept->n_surplus; i++)
		at = kept->surplus[i].until_ms < kept->surplus[at].until_ms ? i : at;
	if (kept->n_surplus < SURPLUS_MAX)
		at = kept->n_surplus++;
	kept->surplus[at] =
	    (struct surplus_receiver){receiver, rp_sys_boot_ms(&rp_sys_real) + SURPLUS_MS};
	rp_log(RP_LOG_WARN, "surplus_bytes", "receiver=%.*s", (int)bytes, url);
}
