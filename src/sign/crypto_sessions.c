/* crypto_sessions.c - keeps TLS sessions as bytes, by name and by age. It is apart because libcurl
 * keeps five to a handle, and ours go to whatever host comes next. */

#include "sign/crypto_sessions.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/sys.h"
#include "sign/crypto.h"

#define HEADS 8192u
#define REFUSED_MS ((int64_t)3600 * 1000) /* somebody may mend the receiver */

struct name {
	unsigned char sum[RP_SHA256_BYTES];
};

/* Of an SSL_CTX, and so of one connection. */
struct use {
	struct rp_tls_sessions *sessions;
	struct name name;
	bool lent, done; /* it got a session; its handshake is over */
};

/* A session, or a mark that none is to be kept and lent. */
struct kept {
	struct kept *next;          /* of its head: older */
	struct kept *older, *newer; /* of all */
	struct name name;
	int64_t refused_until_ms; /* on the boot clock; 0: it is no mark */
	size_t bytes;
	unsigned char der[];
};

struct rp_tls_sessions {
	struct kept *oldest, *newest;
	size_t n, bytes, bytes_max;
	int index; /* of an SSL_CTX's data: its use */
	struct kept *heads[HEADS];
};

static struct kept **head_of(struct rp_tls_sessions *s, const struct name *name)
{
	uint32_t bits;

	memcpy(&bits, name->sum, sizeof bits);
	return &s->heads[bits % HEADS];
}

static size_t size_of(const struct kept *k)
{
	return sizeof *k + k->bytes;
}

/* Takes the one that *link leads to. */
static struct kept *take(struct rp_tls_sessions *s, struct kept **link)
{
	struct kept *k = *link;

	*link = k->next;
	*(k->older != NULL ? &k->older->newer : &s->oldest) = k->newer;
	*(k->newer != NULL ? &k->newer->older : &s->newest) = k->older;
	s->n--;
	s->bytes -= size_of(k);
	return k;
}

/* It holds a key, until somebody else gets the memory. */
static void drop(struct kept *k)
{
	OPENSSL_cleanse(k->der, k->bytes);
	free(k);
}

/* The next link of this name, from *link on; NULL: none. */
static struct kept **find(struct kept **link, const struct name *name)
{
	while (*link != NULL && memcmp(&(*link)->name, name, sizeof *name) != 0)
		link = &(*link)->next;
	return *link != NULL ? link : NULL;
}

static void drop_oldest(struct rp_tls_sessions *s)
{
	struct kept **link = head_of(s, &s->oldest->name);

	while (*link != s->oldest)
		link = &(*link)->next;
	drop(take(s, link));
}

/* Leaves room for one more under the name. */
static void trim(struct rp_tls_sessions *s, const struct name *name)
{
	size_t n, most = s->bytes < s->bytes_max / 2 ? RP_TLS_SESSIONS_EACH : 1;
	struct kept **link = find(head_of(s, name), name);

	for (n = 1; link != NULL && n < most; n++)
		link = find(&(*link)->next, name);
	while (link != NULL) {
		drop(take(s, link));
		link = find(link, name);
	}
}

static void drop_all(struct rp_tls_sessions *s, const struct name *name)
{
	struct kept **link = find(head_of(s, name), name);

	while (link != NULL) {
		drop(take(s, link));
		link = find(link, name);
	}
}

/* Beside a mark there is no session. */
static bool is_refused(struct rp_tls_sessions *s, const struct name *name)
{
	struct kept **link = find(head_of(s, name), name);

	if (link == NULL || (*link)->refused_until_ms == 0)
		return false;
	if (rp_sys_boot_ms(&rp_sys_real) < (*link)->refused_until_ms)
		return true;
	drop(take(s, link));
	return false;
}

static void add(struct rp_tls_sessions *s, struct kept *k)
{
	struct kept **head = head_of(s, &k->name);

	k->next = *head;
	*head = k;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = k;
	k->older = s->newest;
	s->newest = k;
	s->n++;
	s->bytes += size_of(k);
	while (s->bytes > s->bytes_max)
		drop_oldest(s);
}

static void keep(struct rp_tls_sessions *s, const struct name *name, SSL_SESSION *session)
{
	int bytes = SSL_SESSION_is_resumable(session) && !is_refused(s, name)
			? i2d_SSL_SESSION(session, NULL)
			: 0;
	struct kept *k = bytes > 0 ? malloc(sizeof *k + (size_t)bytes) : NULL;
	unsigned char *at;

	if (k == NULL)
		return;
	*k = (struct kept){.name = *name, .bytes = (size_t)bytes};
	at = k->der;
	i2d_SSL_SESSION(session, &at);
	trim(s, name);
	add(s, k);
}

/* A receiver that fails resumed handshakes would fail one for each session. */
static void refuse(struct rp_tls_sessions *s, const struct name *name)
{
	struct kept *k = malloc(sizeof *k);

	drop_all(s, name);
	if (k == NULL)
		return;
	*k = (struct kept){.name = *name,
			   .refused_until_ms = rp_sys_boot_ms(&rp_sys_real) + REFUSED_MS};
	add(s, k);
}

/* The old name ends in 2038, so OpenSSL 3.4 has another one. */
static long made_at_s(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
	return (long)SSL_SESSION_get_time_ex(session);
#else
	return SSL_SESSION_get_time(session);
#endif
}

static bool is_over(const SSL_SESSION *session)
{
	long age = (long)(rp_sys_wall_ms(&rp_sys_real) / 1000) - made_at_s(session);
	long most = SSL_SESSION_get_timeout(session);

	return age < 0 || age >= (most < RP_TLS_SESSIONS_S ? most : RP_TLS_SESSIONS_S);
}

/* The latest one that still holds; NULL: none is, or is to be, lent. */
static SSL_SESSION *lend(struct rp_tls_sessions *s, const struct name *name)
{
	struct kept **link, *k;
	SSL_SESSION *session;
	const unsigned char *at;

	if (is_refused(s, name))
		return NULL;
	while ((link = find(head_of(s, name), name)) != NULL) {
		k = take(s, link);
		at = k->der;
		session = d2i_SSL_SESSION(NULL, &at, (long)k->bytes);
		drop(k);
		if (session != NULL && !is_over(session))
			return session;
		SSL_SESSION_free(session);
		ERR_clear_error();
	}
	return NULL;
}

static struct use *use_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* 0: the session stays the caller's. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
	struct use *use = use_of(ssl);

	keep(use->sessions, &use->name, session);
	return 0;
}

/* The handle is made behind our back, and this is the last call before it says hello. */
static void session_set(SSL *ssl, struct use *use)
{
	SSL_SESSION *session = lend(use->sessions, &use->name);

	if (session == NULL)
		return;
	use->lent = SSL_set_session(ssl, session) == 1;
	if (!use->lent)
		ERR_clear_error();
	SSL_SESSION_free(session);
}

/* Of TLS 1.2 a session that was lent comes back when it served: the receiver need not give
 * another. */
static void on_state(const SSL *ssl_said, int where, int value)
{
	SSL *ssl = (SSL *)(uintptr_t)ssl_said;
	struct use *use = use_of(ssl);

	(void)value;
	if ((where & SSL_CB_HANDSHAKE_START) != 0 && SSL_get_session(ssl) == NULL)
		session_set(ssl, use);
	if ((where & SSL_CB_HANDSHAKE_DONE) == 0)
		return;
	use->done = true;
	if (SSL_session_reused(ssl) && SSL_version(ssl) < TLS1_3_VERSION)
		keep(use->sessions, &use->name, SSL_get_session(ssl));
}

/* The connection is closed. OpenSSL calls this for every SSL_CTX of the process. */
static void on_free(void *ctx, void *data, CRYPTO_EX_DATA *all, int index, long number, void *arg)
{
	struct use *use = data;

	(void)ctx;
	(void)all;
	(void)index;
	(void)number;
	(void)arg;
	if (use != NULL && use->lent && !use->done)
		refuse(use->sessions, &use->name);
	free(use);
}

struct rp_tls_sessions *rp_tls_sessions_new(size_t bytes_max)
{
	struct rp_tls_sessions *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->bytes_max = bytes_max;
	s->index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, on_free);
	if (s->index >= 0)
		return s;
	ERR_clear_error();
	free(s);
	return NULL;
}

void rp_tls_sessions_free(struct rp_tls_sessions *sessions)
{
	if (sessions == NULL)
		return;
	while (sessions->oldest != NULL)
		drop_oldest(sessions);
	CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, sessions->index);
	free(sessions);
}

bool rp_tls_sessions_apply(struct rp_tls_sessions *sessions, void *ssl_ctx,
			   const struct rp_span *parts, size_t n_parts)
{
	SSL_CTX *ctx = ssl_ctx;
	struct use *use = malloc(sizeof *use);

	if (use == NULL)
		return false;
	*use = (struct use){.sessions = sessions};
	rp_sha256(parts, n_parts, use->name.sum);
	if (SSL_CTX_set_app_data(ctx, use) != 1 ||
	    SSL_CTX_set_ex_data(ctx, sessions->index, use) != 1) {
		ERR_clear_error();
		free(use);
		return false;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new);
	SSL_CTX_set_info_callback(ctx, on_state);
	return true;
}

size_t rp_tls_sessions_count(const struct rp_tls_sessions *sessions)
{
	return sessions->n;
}

size_t rp_tls_sessions_bytes(const struct rp_tls_sessions *sessions)
{
	return sessions->bytes;
}
