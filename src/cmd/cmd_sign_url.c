/* cmd_sign_url.c - the verb `sign-url`: makes the URL by which the front door takes runs for a
 * receiver that no section publishes. */

#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "config/redact.h"
#include "serve/token_list.h"
#include "text/ascii.h"

/* What engines take as a webhook, in characters. */
#define ENGINE_URL_MAX 4096
#define ENGINE_URL_MAX_WITH_BLOCK 2048 /* where the engine's configuration has webhooks.url */

struct signing {
	const struct rp_config *config;
	struct rp_span door; /* "http://HOST:PORT" */
	struct rp_span key;
};

static int fail_memory(void)
{
	rp_log_say("runpost sign-url: out of memory");
	return RP_EXIT_TEMPFAIL;
}

/* For the value of a query. '/' and ':' may stand there, and the URL gets no longer than it must:
 * engines take only so much. */
static bool add_encoded(struct rp_span text, struct rp_buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	bool ok = true;
	size_t i;

	for (i = 0; i < text.len && ok; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (rp_char_is_alnum((char)c) || rp_char_is_one_of((char)c, "-._~/:"))
			ok = rp_buf_add_char(out, (char)c);
		else
			ok = rp_buf_add_char(out, '%') && rp_buf_add_char(out, digits[c >> 4]) &&
			     rp_buf_add_char(out, digits[c & 15]);
	}
	return ok;
}

static bool add_signed(const struct signing *s, struct rp_span url, struct rp_buf *out)
{
	unsigned char mac[RP_SHA256_BYTES];
	char hex[2 * RP_SHA256_BYTES + 1];

	rp_hmac_sha256(s->key, &url, 1, mac);
	return rp_buf_add(out, s->door.ptr, s->door.len) && rp_buf_add_text(out, "/to?url=") &&
	       add_encoded(url, out) && rp_buf_add_text(out, "&sig=") &&
	       rp_buf_add_text(out, rp_hex_format(mac, sizeof mac, hex));
}

static void warn_of_length(size_t n)
{
	if (n > ENGINE_URL_MAX)
		fprintf(stderr,
			"runpost sign-url: warning: the URL has %zu characters, engines take %d\n"
			"  -> publish a section: door = yes, and /to/NAME as its URL\n",
			n, ENGINE_URL_MAX);
	else if (n > ENGINE_URL_MAX_WITH_BLOCK)
		fprintf(stderr,
			"runpost sign-url: warning: the URL has %zu characters, an engine whose "
			"configuration has webhooks.url takes %d\n"
			"  -> set its max_url_length, or publish a section: door = yes\n",
			n, ENGINE_URL_MAX_WITH_BLOCK);
}

/* seen: it stood on the command line. */
static int sign_one(const struct signing *s, struct rp_span text, bool seen)
{
	struct rp_buf room = {0}, out = {0};
	struct rp_error err = {0};
	struct rp_span sent;
	struct rp_url url;
	int code = RP_EXIT_OK;
	enum rp_err rc = rp_url_accept(text, &room, &sent, &url, &err);

	if (rc == RP_ERR_NOMEM || (rc == RP_OK && !add_signed(s, sent, &out)))
		code = fail_memory();
	else if (rc != RP_OK)
		code = rp_cli_usage_error("sign-url", "%s", err.text);
	if (code == RP_EXIT_OK) {
		if (seen && rp_redact_is_secret(s->config, &url))
			rp_log(RP_LOG_WARN, "webhook_on_command_line",
			       "why=\"every user of this machine can read its token there; give - "
			       "in its place, and the URL on standard input\"");
		warn_of_length(out.len);
		printf("%s\n", out.data);
	}
	rp_buf_release(&out);
	rp_buf_release(&room);
	return code;
}

static int sign_input(const struct signing *s)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int code = RP_EXIT_OK;

	while (code == RP_EXIT_OK && (n = getline(&line, &size, stdin)) >= 0) {
		struct rp_span text = {line, (size_t)n};

		while (text.len > 0 && rp_char_is_one_of(text.ptr[text.len - 1], "\r\n"))
			text.len--;
		if (text.len > 0)
			code = sign_one(s, text, false);
	}
	if (line != NULL)
		rp_wipe(line, size);
	free(line);
	return code;
}

static int sign_all(const struct signing *s, char **urls, int n)
{
	int i, code = RP_EXIT_OK;

	for (i = 0; i < n && code == RP_EXIT_OK; i++)
		code = strcmp(urls[i], "-") == 0 ? sign_input(s)
						 : sign_one(s, rp_span_of(urls[i]), true);
	return code;
}

/* The door as its users reach it: what they give, else its own address. RP_CLI_GO_ON, or the exit
 * code. */
static int find_door(const char *given, const struct rp_config *config, struct rp_buf *out)
{
	struct rp_error err = {0};
	struct rp_url url;

	if (!(given != NULL ? rp_buf_add_text(out, given) : rp_config_add_door_url(config, out)))
		return fail_memory();
	if (out->len == 0)
		return rp_cli_usage_error(
		    "sign-url", "the door listens on no address with a port; give what its users "
				"see, --door http://HOST:PORT");
	if (rp_url_parse((struct rp_span){out->data, out->len}, &url, &err) != RP_OK)
		return rp_cli_usage_error("sign-url", "--door: %s", err.text);
	if (url.path.len > 1 || url.has_query)
		return rp_cli_usage_error(
		    "sign-url", "--door has a path; accepted: scheme, host and port, such as "
				"http://127.0.0.1:8484");
	out->len -= url.path.len;
	return RP_CLI_GO_ON;
}

/* The newest key, which stands first. */
static enum rp_err find_key(struct rp_settings *settings, struct rp_token_list *keys,
			    struct rp_error *err)
{
	enum rp_err rc;

	if (settings->config.door.door_key_file == NULL)
		return rp_fail(err, RP_ERR_NOTFOUND,
			       "there is no key to sign with; make one, mode 0600, with "
			       "`openssl rand -hex 32`, and name its file: [door] door_key_file");
	rc = rp_settings_load_door_keys(settings, err);
	if (rc != RP_OK)
		return rc;
	rc = rp_token_list_parse(settings->door.keys, RP_TOKEN_KEY, keys, err);
	return rc == RP_OK ? rc : rp_settings_fail_door(settings, "door_key_file", err, err);
}

static int sign(struct rp_settings *settings, const char *given_door, char **urls, int n)
{
	struct signing s = {.config = &settings->config};
	struct rp_token_list keys = {0};
	struct rp_buf door = {0};
	struct rp_error err = {0};
	enum rp_err rc;
	int code = find_door(given_door, &settings->config, &door);

	if (code == RP_CLI_GO_ON) {
		rc = find_key(settings, &keys, &err);
		if (rc == RP_OK) {
			s.door = (struct rp_span){door.data, door.len};
			s.key = keys.tokens[0].text;
			code = sign_all(&s, urls, n);
		} else {
			rp_log_say("runpost sign-url: %s", err.text);
			code = rp_settings_exit_code(rc);
		}
	}
	rp_token_list_release(&keys);
	rp_buf_release(&door);
	return code;
}

int rp_cmd_sign_url(int argc, char **argv)
{
	const char *config = NULL, *door = NULL;
	const struct rp_cli_option options[] = {
	    {"config", "FILE", "the configuration (default: " RP_SETTINGS_PATH " if it exists)",
	     &config, NULL},
	    {"door", "URL", "the door as its users reach it (default: its first address)", &door,
	     NULL},
	};
	const struct rp_cli cli = {
	    "sign-url",
	    "Prints, for each URL, the one to give to an engine in its place: the front door takes "
	    "runs there\n"
	    "for the URL, whether or not a section says door = yes. It is signed with the first "
	    "key of\n"
	    "[door] door_key_file. - reads URLs from standard input, one a line.\n"
	    "Exit: 0 all are signed, 64 usage or a wrong URL, 75 out of memory, 78 configuration, "
	    "or there is no key.",
	    options, sizeof options / sizeof options[0]};
	struct rp_settings settings;
	int first = argc, code = rp_cli_parse_operands(&cli, "URL", argc, argv, &first);

	if (code == RP_CLI_GO_ON && first == argc)
		code = rp_cli_usage_error("sign-url", "a URL is missing");
	if (code == RP_CLI_GO_ON)
		code = rp_cli_settings("sign-url", config, NULL, &settings);
	if (code != RP_CLI_GO_ON)
		return code;
	rp_log_setup("sign-url", RP_LOG_INFO);
	code = sign(&settings, door, argv + first, argc - first);
	rp_settings_release(&settings);
	return code;
}
