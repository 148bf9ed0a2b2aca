/* http_sweep.c - makes libcurl look at the connections and names that it keeps. It is apart because
 * libcurl does so only as a request begins or ends, at connections not more often than once a
 * second; there is no call for it. So a sweep is a request that ends before it has a socket. */

#include "deliver/http/http_sweep.h"

#define GONE_MS 1100   /* till a sweep after a receiver has closed: libcurl's second, and more */
#define OTHER_MS 10000 /* between sweeps for what is too old */
#define STUCK_MS 5000  /* a sweep waits for nothing; after so long it is ended */
/* libcurl tells the age of an address by whole seconds of another clock */
#define CACHED_MS ((int64_t)(RP_HTTP_NAMES_S + 2) * 1000)

static curl_socket_t refuse_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	(void)address;
	return CURL_SOCKET_BAD;
}

#define SET(option, value) (curl_easy_setopt(sweep->easy, (option), (value)) == CURLE_OK)

bool rp_http_sweep_open(struct rp_http_sweep *sweep, int64_t now_ms)
{
	*sweep = (struct rp_http_sweep){.easy = curl_easy_init(), .after_ms = now_ms};
	return sweep->easy != NULL && SET(CURLOPT_URL, "http://127.0.0.1:9/") &&
	       SET(CURLOPT_OPENSOCKETFUNCTION, refuse_socket) && SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_PROXY, "") && SET(CURLOPT_NOPROXY, "*") &&
	       SET(CURLOPT_FRESH_CONNECT, 1L) &&
	       SET(CURLOPT_MAXAGE_CONN, (long)RP_HTTP_KEPT_IDLE_S) &&
	       SET(CURLOPT_MAXLIFETIME_CONN, (long)RP_HTTP_KEPT_LIFE_S) &&
	       SET(CURLOPT_TIMEOUT_MS, (long)STUCK_MS);
}

void rp_http_sweep_close(struct rp_http_sweep *sweep, CURLM *multi)
{
	if (sweep->under_way)
		curl_multi_remove_handle(multi, sweep->easy);
	curl_easy_cleanup(sweep->easy);
	*sweep = (struct rp_http_sweep){0};
}

static bool has_many_names(const struct rp_http_shared *shared)
{
	return rp_http_names_count(shared->names) > RP_HTTP_NAMES_MAX;
}

void rp_http_sweep_note_named(struct rp_http_sweep *sweep, int64_t now_ms)
{
	sweep->until_ms = now_ms + CACHED_MS;
}

int64_t rp_http_sweep_due_ms(const struct rp_http_sweep *sweep, const struct rp_http_shared *shared)
{
	if (sweep->under_way)
		return sweep->after_ms + STUCK_MS;
	if (shared->watch.connections == 0 && sweep->until_ms == 0)
		return -1;
	return sweep->after_ms +
	       (shared->watch.gone > 0 || has_many_names(shared) ? GONE_MS : OTHER_MS);
}

/* Out of memory: then the next one. */
void rp_http_sweep_begin(struct rp_http_sweep *sweep, struct rp_http_shared *shared, CURLM *multi,
			 int64_t now_ms)
{
	bool all = has_many_names(shared);

	if (sweep->under_way)
		curl_multi_remove_handle(multi, sweep->easy);
	sweep->after_ms = now_ms;
	sweep->under_way = SET(CURLOPT_DNS_CACHE_TIMEOUT, all ? 0L : (long)RP_HTTP_NAMES_S) &&
			   curl_multi_add_handle(multi, sweep->easy) == CURLM_OK;
	if (sweep->under_way)
		rp_http_names_forget(shared->names, all, now_ms);
}

bool rp_http_sweep_end(struct rp_http_sweep *sweep, CURLM *multi, const CURL *easy, int64_t now_ms)
{
	if (easy != sweep->easy)
		return false;
	curl_multi_remove_handle(multi, sweep->easy);
	sweep->under_way = false;
	sweep->after_ms = now_ms;
	if (now_ms >= sweep->until_ms)
		sweep->until_ms = 0;
	return true;
}
