/* door_setup.c - words for what the configuration of the door comes to. */

#include "serve/door_setup.h"

#include "config/redact.h"

/* The columns of `check-config`. */
#define ROW "  %-17s %-32s %s\n"

static enum rp_err parse(const struct rp_settings *s, const char *key, struct rp_span text,
			 enum rp_token_kind kind, struct rp_token_list *out, struct rp_error *err)
{
	enum rp_err code = text.ptr != NULL ? rp_token_list_parse(text, kind, out, err) : RP_OK;

	return code == RP_OK ? code : rp_settings_fail_door(s, key, err, err);
}

enum rp_err rp_door_setup_lists(const struct rp_settings *settings, struct rp_token_list *tokens,
				struct rp_token_list *keys, struct rp_error *err)
{
	enum rp_err code =
	    parse(settings, "token_file", settings->door.tokens, RP_TOKEN_BEARER, tokens, err);

	if (code == RP_OK)
		code =
		    parse(settings, "door_key_file", settings->door.keys, RP_TOKEN_KEY, keys, err);
	if (code != RP_OK)
		rp_token_list_release(tokens);
	return code;
}

enum rp_err rp_door_setup_count(const struct rp_settings *settings, struct rp_door_secrets *out,
				struct rp_error *err)
{
	struct rp_token_list tokens = {0}, keys = {0};
	enum rp_err code = rp_door_setup_lists(settings, &tokens, &keys, err);

	*out = (struct rp_door_secrets){tokens.n, keys.n};
	rp_token_list_release(&tokens);
	rp_token_list_release(&keys);
	return code;
}

static bool is_of_door(const struct rp_setting_info *info)
{
	return strcmp(info->section, "door") == 0 || strcmp(info->section, "ui") == 0;
}

static bool has_open_section(const struct rp_config *config)
{
	size_t i = 0;

	while (i < config->n_endpoints && !config->endpoints[i].door)
		i++;
	return i < config->n_endpoints;
}

bool rp_door_setup_is_there(const struct rp_config *config)
{
	const struct rp_setting_info *info;
	size_t i;

	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		if (is_of_door(info) && config->line_of[i] != 0)
			return true;
	return has_open_section(config);
}

bool rp_door_setup_is_open(const struct rp_config *config)
{
	return config->door.door_key_file != NULL || has_open_section(config);
}

static bool add_setting(const struct rp_settings *s, size_t i, struct rp_buf *out)
{
	const struct rp_setting_info *info = rp_config_setting(i);
	bool is_ui = strcmp(info->section, "ui") == 0, inherited, ok;
	unsigned line = rp_config_line_of_value(&s->config, NULL, i, 0, &inherited);
	struct rp_buf value = {0}, origin = {0};

	ok = rp_config_show_value(&s->config, NULL, i, 0, &value) &&
	     (line == 0 ? rp_buf_add_text(&origin, "default")
			: rp_buf_printf(&origin, "%s:%u", s->path, line)) &&
	     rp_buf_printf(out, ROW, is_ui ? "[ui] listen" : info->name, value.data, origin.data);
	rp_buf_release(&origin);
	rp_buf_release(&value);
	return ok;
}

static bool add_users(const struct rp_settings_door *door, struct rp_buf *out)
{
	bool ok = rp_buf_printf(out, "  %-17s ", "without a token");
	size_t i;

	for (i = 0; i < door->n_users && ok; i++)
		ok = rp_buf_printf(out, "%suid %u", i > 0 ? ", " : "", (unsigned)door->users[i]);
	if (door->n_users == 0)
		ok = ok && rp_buf_add_text(out, "nobody");
	return ok && rp_buf_add_char(out, '\n');
}

/* The URL for the engine, and the receiver's as people may see it. */
static bool add_section(const struct rp_settings *s, const struct rp_policy *section,
			struct rp_buf *out)
{
	struct rp_buf door = {0}, shown = {0};
	bool ok = rp_config_add_door_url(&s->config, &door) && rp_buf_add_text(&door, "/to/") &&
		  rp_buf_add_text(&door, section->name) &&
		  rp_redact_url(&s->config, &section->prefix, &shown) &&
		  rp_buf_printf(out, ROW, "published", door.data, shown.data);

	rp_buf_release(&shown);
	rp_buf_release(&door);
	return ok;
}

bool rp_door_setup_show(const struct rp_settings *settings, const struct rp_door_secrets *secrets,
			struct rp_buf *out)
{
	const struct rp_setting_info *info;
	bool ok = rp_buf_add_text(out, "runpost serve\n");
	size_t i;

	for (i = 0; ok && (info = rp_config_setting(i)) != NULL; i++)
		if (is_of_door(info))
			ok = add_setting(settings, i, out);
	ok = ok && add_users(&settings->door, out) &&
	     rp_buf_printf(out, "  %-17s %zu\n", "tokens", secrets->n_tokens) &&
	     rp_buf_printf(out, "  %-17s %zu\n", "keys", secrets->n_keys);
	for (i = 0; i < settings->config.n_endpoints && ok; i++)
		if (settings->config.endpoints[i].door)
			ok = add_section(settings, &settings->config.endpoints[i], out);
	return ok;
}
