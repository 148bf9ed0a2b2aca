/* Configuration files: refused with a place and without secrets, or shown and read again as the
 * same. */
#include "fuzz.h"

#include "config/config.h"

/* Appends what is in effect as a file. What is shown in place of a secret is replaced by one. */
static void show_section(const struct rp_config *config, const struct rp_policy *policy,
			 const char *section, struct rp_buf *out)
{
	const struct rp_setting_info *s;
	size_t i, k;

	for (i = 0; (s = rp_config_setting(i)) != NULL; i++) {
		if (strcmp(s->section, section) != 0 || strcmp(s->name, "url") == 0)
			continue;
		for (k = 0; k < rp_config_count_values(policy, i); k++) {
			struct rp_buf value = {0};
			bool is_env = strcmp(s->name, "secret_env") == 0;
			size_t n;

			MUST(rp_config_show_value(config, policy, i, k, &value), "out of memory");
			n = value.len;
			if (strcmp(value.data, "none") == 0 ||
			    /* nobody asked for it: a host may have less */
			    (strcmp(s->name, "in_flight") == 0 && policy != NULL &&
			     policy->line_of[i] == 0) ||
			    (strcmp(s->name, "retry_schedule") != 0 &&
			     strncmp(s->name, "retry_", 6) == 0 && policy != NULL &&
			     policy->retry.n_schedule > 0 &&
			     strcmp(s->name, "retry_max_age") != 0)) {
				rp_buf_release(&value);
				continue;
			}
			MUST(rp_buf_printf(out, "%s = %s\n", s->name,
					   is_env && n > 0 ? "NAME_OF_ONE" : value.data),
			     "out of memory");
			rp_buf_release(&value);
		}
	}
}

static void show(const struct rp_config *config, struct rp_buf *out)
{
	static const char *const plain[] = {"outbox", "ingest", "sender", "door", "ui"};
	size_t i;

	for (i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		MUST(rp_buf_printf(out, "[%s]\n", plain[i]), "out of memory");
		show_section(config, NULL, plain[i], out);
	}
	rp_buf_add_text(out, "[defaults]\n");
	show_section(config, &config->defaults, "defaults", out);
}

static void read_again(const struct rp_config *config)
{
	struct rp_buf first = {0}, second = {0};
	struct rp_config again;
	struct rp_error err = {0};

	show(config, &first);
	rp_config_init(&again);
	MUST(rp_config_parse(&again, "shown", (struct rp_span){first.data, first.len}, &err) ==
		 RP_OK,
	     "what was shown is refused: %s in\n%s", err.text, first.data);
	show(&again, &second);
	MUST(strcmp(first.data, second.data) == 0, "shown as\n%s and then as\n%s", first.data,
	     second.data);
	rp_config_release(&again);
	rp_buf_release(&first);
	rp_buf_release(&second);
}

static void check_limits(const struct rp_config *config, const struct rp_url *url)
{
	const struct rp_policy *policy = rp_config_policy(config, url);
	struct rp_level_limits limits;
	size_t i;

	rp_config_limits(config, url, &limits);
	for (i = 0; i < RP_LEVELS; i++)
		MUST(i == RP_LEVEL_SECTION && limits.section.len == 0
			 ? limits.at[i].in_flight == 0
			 : limits.at[i].in_flight > 0 &&
			       limits.at[i].in_flight <= RP_CONFIG_IN_FLIGHT_MAX,
		     "%s: %u at once", rp_level_name((enum rp_level)i), limits.at[i].in_flight);
	MUST(limits.section.len == 0 || rp_span_is(limits.section, policy->name),
	     "the limits of another section");
}

static void check_policy(const struct rp_policy *p)
{
	size_t i;

	MUST(p->timeout_ms > 0 && p->connect_timeout_ms > 0 && p->in_flight > 0, "%s: zero",
	     p->name);
	MUST(p->n_headers <= RP_CONFIG_HEADERS_MAX && p->n_allow <= RP_ALLOW_MAX, "%s: too many",
	     p->name);
	MUST(p->guard.n_allow == p->n_allow && (p->n_allow == 0 || p->guard.allow == p->allow),
	     "guard");
	MUST((p->secret_file != NULL) + (p->secret_env != NULL) + (p->secret_credential != NULL) <=
		 1,
	     "two secrets");
	MUST(p->tls_min == 12 || p->tls_min == 13, "tls_min");
	for (i = 0; i < p->n_headers; i++)
		MUST(strpbrk(p->headers[i], "\r\n") == NULL && strchr(p->headers[i], ':') != NULL,
		     "header");
	/* delays grow and stay below the cap */
	for (i = 1; i < 40; i++)
		MUST(rp_retry_delay_ms(&p->retry, (unsigned)i) >= 0, "a negative delay");
}

static void check_listen(const struct rp_config *config, const struct rp_listen *listen)
{
	struct rp_listen_address again;
	char text[RP_LISTEN_TEXT_MAX];
	size_t i, k;

	MUST(listen->n <= RP_LISTEN_MAX, "too many addresses");
	for (i = 0; i < listen->n; i++) {
		MUST((listen->at[i].unix_path[0] == '\0') != (listen->at[i].ip[0] == '\0'),
		     "neither a path nor an address");
		MUST(rp_listen_address_parse(
			 rp_span_of(rp_listen_address_format(&listen->at[i], text)), &again) ==
			     NULL &&
			 memcmp(&again, &listen->at[i], sizeof again) == 0,
		     "%s is read as another", text);
		MUST(rp_listen_address_is_local(&listen->at[i]) ||
			 (listen == &config->door.listen && config->door.token_file != NULL),
		     "%s: open to others", text);
		for (k = 0; k < i; k++)
			MUST(!rp_listen_address_collides(&listen->at[i], &listen->at[k]),
			     "%s collides", text);
	}
}

static void check_door(const struct rp_config *config)
{
	struct rp_buf url = {0};
	struct rp_url parsed;

	MUST(config->door.listen.n > 0, "the door listens nowhere");
	check_listen(config, &config->door.listen);
	check_listen(config, &config->ui.listen);
	MUST(config->door.users.n <= RP_DOOR_NAMES_MAX && config->door.hosts.n <= RP_DOOR_NAMES_MAX,
	     "too many names");
	MUST(config->door.bodies_bytes >= config->max_line_bytes, "no room for a body");
	MUST(!config->defaults.door, "the defaults are published");
	MUST(rp_config_add_door_url(config, &url), "out of memory");
	MUST(url.len == 0 ||
		 rp_url_parse((struct rp_span){url.data, url.len}, &parsed, NULL) == RP_OK,
	     "the door's URL is none: %s", url.data);
	rp_buf_release(&url);
}

/* Lines of these keys may hold a secret; the canary must not come back from them. */
static bool canary_is_secret(struct rp_span text)
{
	static const char *const keys[] = {"header", "secret_env", "secret_credential"};
	struct fuzz_input in = {(const uint8_t *)text.ptr, text.len};
	bool any = false;

	while (in.left > 0) {
		struct rp_span line = fuzz_until(&in, '\n');
		size_t i, at;
		bool secret = false;

		if (!fuzz_contains(line, rp_span_of("CANARY")))
			continue;
		for (i = 0; i < 3 && !secret; i++) {
			at = strlen(keys[i]);
			secret = line.len > at && memcmp(line.ptr, keys[i], at) == 0;
			while (secret && at < line.len && line.ptr[at] == ' ')
				at++;
			secret = secret && at < line.len && line.ptr[at] == '=';
		}
		if (!secret)
			return false;
		any = true;
	}
	return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rp_span text = {(const char *)data, size};
	char *copy = fuzz_copy(text);
	struct rp_config config;
	struct rp_error err = {0};
	struct rp_url url;
	enum rp_err rc;
	size_t i;

	text.ptr = copy;
	rp_config_init(&config);
	rc = rp_config_parse(&config, "runpost.conf", text, &err);
	if (rc == RP_OK) {
		check_policy(&config.defaults);
		check_door(&config);
		for (i = 0; i < config.n_endpoints; i++) {
			check_policy(&config.endpoints[i]);
			MUST(rp_config_policy(&config, &config.endpoints[i].prefix) !=
				 &config.defaults,
			     "an endpoint that nothing belongs to");
			check_limits(&config, &config.endpoints[i].prefix);
		}
		MUST(rp_url_parse(rp_span_of("https://a.example/hook"), &url, NULL) == RP_OK &&
			 rp_config_policy(&config, &url) != NULL,
		     "no policy");
		check_limits(&config, &url);
		if (!fuzz_contains(text,
				   /* a path of this name is shown like one that is not set */
				   rp_span_of("none")))
			read_again(&config);
	} else {
		MUST(rc == RP_ERR_INVAL && strncmp(err.text, "runpost.conf:", 13) == 0, "%d: %s",
		     rc, err.text);
		MUST(!canary_is_secret(text) || strstr(err.text, "CANARY") == NULL, "told: %s",
		     err.text);
		MUST(config.n_endpoints == 0, "half a configuration");
	}
	rp_config_release(&config);
	free(copy);
	return 0;
}
