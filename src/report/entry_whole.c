/* entry_whole.c - reads the attempts of an entry into its JSON. It is apart from entry_json.c
 * because it asks the store. */

#include "report/entry_json.h"

struct log {
	const struct rp_config *config;
	const struct rp_entry *entry;
	struct rp_json_out *json;
	bool ok;
};

static void add_to_log(void *arg, uint32_t n, const struct rp_attempt *a, bool damaged)
{
	struct log *log = arg;
	struct rp_json_out *one = rp_attempt_json(log->config, log->entry, n, a, damaged);

	log->ok = log->ok && one != NULL;
	if (one != NULL)
		rp_json_out_push(log->json, "attempt_log", one);
}

enum rp_err rp_entry_json_whole(const struct rp_config *config, struct rp_outbox *ob,
				const struct rp_entry *e, struct rp_json_out **out,
				struct rp_error *err)
{
	struct log log = {config, e, rp_entry_json(config, e), true};
	enum rp_err code;

	*out = NULL;
	if (log.json == NULL)
		return rp_fail(err, RP_ERR_NOMEM, "out of memory");
	rp_json_out_array(log.json, "attempt_log");
	code = rp_outbox_attempts(ob, e->seq, add_to_log, &log, err);
	if (code == RP_OK && !log.ok)
		code = rp_fail(err, RP_ERR_NOMEM, "out of memory");
	if (code == RP_OK)
		*out = log.json;
	else
		rp_json_out_free(log.json);
	return code;
}
