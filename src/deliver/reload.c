/* reload.c - loads a new configuration, and refuses one with a mistake. It is apart because the
 * supervisor and the senders both need it. What a sender does next is in sender_settings.c. */

#include "deliver/reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static void refuse(enum rp_err code, const struct rp_error *err)
{
	char text[RP_ERROR_TEXT_MAX + 16];

	rp_log(RP_LOG_ERROR, "reload_refused", "code=%s text=%s", rp_err_name(code),
	       rp_log_quote(err->text, text, sizeof text));
}

/* Logs the keys whose new value needs a restart. */
static void log_restart_keys(const struct rp_reload_source *source, const struct rp_config *now)
{
	const struct rp_config *then = &source->started->config;
	const struct {
		const char *key;
		bool changed;
	} keys[] = {
	    {"outbox.dir", !source->fixed_outbox && strcmp(then->outbox_dir, now->outbox_dir) != 0},
	    {"outbox.url",
	     !source->fixed_outbox && !rp_text_is_same(then->outbox_url, now->outbox_url)},
	    {"outbox.quota", then->quota_bytes != now->quota_bytes},
	    {"outbox.map_size", then->map_bytes != now->map_bytes},
	    {"outbox.disk_reserve", then->disk_reserve_bytes != now->disk_reserve_bytes},
	    {"sender.in_flight",
	     !source->fixed_in_flight && then->sender_in_flight != now->sender_in_flight},
	};
	char list[128] = "";
	size_t i, n = 0;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].changed)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? "," : "",
					      keys[i].key);
	if (n > 0)
		rp_log(RP_LOG_WARN, "reload_partly", "restart_for=%s", list);
}

struct rp_settings *rp_reload(const struct rp_reload_source *source)
{
	struct rp_settings *next = malloc(sizeof *next);
	struct rp_error err;
	enum rp_err code;

	if (next == NULL)
		code = rp_fail(&err, RP_ERR_NOMEM, "out of memory");
	else
		code = rp_settings_load(source->started->path, next, &err);
	if (code != RP_OK) {
		refuse(code, &err);
		free(next);
		return NULL;
	}
	code = rp_settings_load_secrets(next, &err);
	if (code != RP_OK) {
		refuse(code, &err);
		rp_settings_discard(next);
		return NULL;
	}
	rp_log(RP_LOG_INFO, "reloaded", "endpoints=%zu", next->config.n_endpoints);
	log_restart_keys(source, &next->config);
	return next;
}
