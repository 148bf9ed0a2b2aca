/* cmd_check.c - the verb `check-config`: shows what is in effect and what would happen to a URL.
 * It opens no outbox and sends nothing. */

#include "cmd/cmd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "cmd/cli.h"
#include "config/redact.h"
#include "config/webhook_file.h"
#include "serve/door_setup.h"

/* A public address, to ask the guard what it thinks of a port alone. */
#define ANY_PUBLIC_ADDRESS "9.9.9.9"

static const char *origin_text(const struct rp_settings *s, const struct rp_policy *policy,
			       unsigned line, bool inherited, char *out, size_t size)
{
	if (line == 0)
		snprintf(out, size, "default");
	else if (inherited || policy == &s->config.defaults)
		snprintf(out, size, "%s:%u [defaults]", s->path, line);
	else
		snprintf(out, size, "%s:%u", s->path, line);
	return out;
}

static bool print_setting(const struct rp_settings *s, const struct rp_policy *policy, size_t i)
{
	size_t k, n = rp_config_count_values(policy, i);
	struct rp_buf value = {0};
	char origin[RP_ERROR_TEXT_MAX];
	bool inherited, ok = true;
	unsigned line;

	for (k = 0; k < n && ok; k++) {
		rp_buf_clear(&value);
		ok = rp_config_show_value(&s->config, policy, i, k, &value);
		line = rp_config_line_of_value(&s->config, policy, i, k, &inherited);
		printf("  %-17s %-32.*s %s\n", rp_config_setting(i)->name, (int)value.len,
		       value.data != NULL ? value.data : "",
		       origin_text(s, policy, line, inherited, origin, sizeof origin));
	}
	rp_buf_release(&value);
	return ok;
}

static size_t setting_of(const char *name)
{
	const struct rp_setting_info *info;
	size_t i;

	for (i = 0; (info = rp_config_setting(i)) != NULL; i++)
		if (strcmp(info->section, "defaults") == 0 && strcmp(info->name, name) == 0)
			break;
	return i;
}

/* A limit of a level, and the line of the setting that it is. */
static void print_limit(const struct rp_settings *s, enum rp_level level, const char *limit,
			const struct rp_policy *policy, const char *setting)
{
	char label[32], origin[RP_ERROR_TEXT_MAX];
	bool inherited;
	unsigned line =
	    rp_config_line_of_value(&s->config, policy, setting_of(setting), 0, &inherited);

	snprintf(label, sizeof label, "limits: %s", rp_level_name(level));
	printf("  %-17s %-32s %s\n", label, limit,
	       origin_text(s, policy, line, inherited, origin, sizeof origin));
}

static void print_limits_of(const struct rp_settings *s, enum rp_level level,
			    const struct rp_limits *limits, const struct rp_policy *policy)
{
	const char *in_flight = level == RP_LEVEL_HOST ? "host_in_flight" : "in_flight";
	const char *rate = level == RP_LEVEL_HOST ? "host_rate" : "rate";
	char text[RP_RATE_TEXT_MAX];

	if (level != RP_LEVEL_SECTION || policy->shares_in_flight) {
		snprintf(text, sizeof text, "%u at once", limits->in_flight);
		print_limit(s, level, text, policy, in_flight);
	}
	if (limits->rate.count > 0)
		print_limit(s, level, rp_rate_format(limits->rate, text), policy, rate);
}

/* One section of a host is enough to switch its breaker off, or the defaults. */
static void print_host_breaker(const struct rp_settings *s, const struct rp_policy *host)
{
	const struct rp_policy *off = host;

	while (off != NULL && off->breaker)
		off = off->next_of_host;
	if (!host->host_breaker)
		print_limit(s, RP_LEVEL_HOST, "no breaker", off != NULL ? off : &s->config.defaults,
			    "breaker");
}

static void print_limits(const struct rp_settings *s, const struct rp_url *url)
{
	const struct rp_policy *policy = rp_config_policy(&s->config, url);
	const struct rp_policy *host = rp_config_host(&s->config, url);
	struct rp_level_limits limits;

	rp_config_limits(&s->config, url, &limits);
	print_limits_of(s, RP_LEVEL_HOST, &limits.at[RP_LEVEL_HOST], host);
	print_host_breaker(s, host);
	if (limits.section.len > 0)
		print_limits_of(s, RP_LEVEL_SECTION, &limits.at[RP_LEVEL_SECTION], policy);
	print_limits_of(s, RP_LEVEL_PATH, &limits.at[RP_LEVEL_PATH], policy);
}

static void print_signing(const struct rp_settings *s, const struct rp_policy *policy)
{
	const struct rp_signer *signer = rp_settings_signer(s, policy);
	size_t now;

	if (signer == NULL) {
		printf("  %-17s not signed\n", "signing");
		return;
	}
	now = rp_signer_count_at(signer, rp_sys_wall_ms(&rp_sys_real) / 1000);
	printf("  %-17s %zu of %zu keys valid now%s\n", "signing", now, rp_signer_count(signer),
	       now == 0 ? ": nothing is sent until one is" : "");
}

static bool public_port_is_fine(const struct rp_guard_policy *guard, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ANY_PUBLIC_ADDRESS, &sa.sin_addr);
	return rp_guard_address(guard, (const struct sockaddr *)&sa, sizeof sa, NULL) ==
	       RP_CAUSE_NONE;
}

static void print_guard(const struct rp_guard_policy *guard, const struct rp_url *url)
{
	const char *port;

	if (public_port_is_fine(guard, url->port))
		port = "allowed";
	else if (guard->n_ports == 0 && guard->n_allow > 0)
		port = "allowed on addresses in allow only";
	else
		port = "refused (blocked_port): see allow_ports";
	printf("  %-17s %s %s\n", "guard: scheme", url->https ? "https" : "http",
	       rp_guard_scheme(guard, url->https) == RP_CAUSE_NONE
		   ? "allowed"
		   : "refused (blocked_scheme): see allow_http");
	printf("  %-17s %u %s\n", "guard: port", url->port, port);
	printf("  %-17s public ones%s\n", "guard: addresses",
	       guard->n_allow > 0 ? ", and those in allow" : " only");
}

static void print_section(const struct rp_settings *s, const struct rp_policy *policy)
{
	if (policy->url != NULL)
		printf("  %-17s [endpoint \"%s\"]%*s %s:%u\n", "section", policy->name,
		       (int)(strlen(policy->name) < 19 ? 19 - strlen(policy->name) : 0), "",
		       s->path, policy->section_line);
	else
		printf("  %-17s [defaults]\n", "section");
}

static bool print_settings(const struct rp_settings *s, const struct rp_url *url)
{
	const struct rp_policy *policy = rp_config_policy(&s->config, url);
	const struct rp_policy *host = rp_config_host(&s->config, url);
	const struct rp_setting_info *info;
	bool ok = true;
	size_t i;

	for (i = 0; ok && (info = rp_config_setting(i)) != NULL; i++)
		if (strcmp(info->section, "defaults") == 0 ||
		    (strcmp(info->section, "endpoint") == 0 && policy->url != NULL))
			/* another section may have said it for the whole host */
			ok = print_setting(s, strncmp(info->name, "host_", 5) == 0 ? host : policy,
					   i);
	return ok;
}

static bool print_url(const struct rp_settings *s, const char *text)
{
	const struct rp_policy *policy;
	struct rp_buf shown = {0}, encoded = {0};
	struct rp_span sent;
	struct rp_url url;
	bool ok;

	if (rp_url_accept(rp_span_of(text), &encoded, &sent, &url, NULL) != RP_OK) {
		rp_buf_release(&encoded);
		return false; /* they have been looked at before */
	}
	policy = rp_config_policy(&s->config, &url);
	ok = rp_redact_url(&s->config, &url, &shown);
	printf("\n%.*s\n", (int)shown.len, shown.data != NULL ? shown.data : "");
	rp_buf_release(&shown);
	print_section(s, policy);
	ok = ok && print_settings(s, &url);
	print_limits(s, &url);
	print_signing(s, policy);
	print_guard(&policy->guard, &url);
	rp_buf_release(&encoded);
	return ok;
}

static void print_warning(void *arg, bool stops, const char *text, const char *remedy)
{
	(void)arg;
	(void)stops;
	fprintf(stderr, "runpost check-config: warning: %s\n  -> %s\n", text, remedy);
}

static bool warn(const struct rp_settings *s)
{
	if (rp_door_setup_is_there(&s->config) && !rp_door_setup_is_open(&s->config))
		print_warning(
		    NULL, false,
		    "no section says door = yes, so the front door takes runs at /v1/runs "
		    "alone, and no engine's webhook",
		    "say door = yes in an [endpoint], or name a door_key_file in [door]");
	return rp_settings_warn(s, rp_sys_wall_ms(&rp_sys_real) / 1000, print_warning, NULL);
}

static bool print_door(const struct rp_settings *s, const struct rp_door_secrets *secrets)
{
	struct rp_buf text = {0};
	bool ok = !rp_door_setup_is_there(&s->config) || rp_door_setup_show(s, secrets, &text);

	if (ok && text.len > 0)
		printf("\n%s", text.data);
	rp_buf_release(&text);
	return ok;
}

static int check(const struct rp_settings *s, const struct rp_door_secrets *secrets, char **urls,
		 int n)
{
	bool ok = warn(s);
	int i;

	if (ok)
		printf("ok\n");
	if (!ok || !print_door(s, secrets)) {
		fprintf(stderr, "runpost check-config: out of memory\n");
		return RP_EXIT_TEMPFAIL;
	}
	for (i = 0; i < n; i++) {
		if (!print_url(s, urls[i])) {
			fprintf(stderr, "runpost check-config: out of memory\n");
			return RP_EXIT_TEMPFAIL;
		}
	}
	return RP_EXIT_OK;
}

static enum rp_err check_webhook(const struct rp_config *config, struct rp_error *err)
{
	struct rp_buf url = {0};
	enum rp_err rc = config->webhook_file != NULL
			     ? rp_webhook_file_read(config->webhook_file, &url, err)
			     : RP_OK;

	rp_buf_release(&url);
	return rc;
}

int rp_cmd_check_config(int argc, char **argv)
{
	const char *config = NULL;
	const struct rp_cli_option options[] = {
	    {"config", "FILE", "the configuration (default: " RP_SETTINGS_PATH " if it exists)",
	     &config, NULL},
	};
	const struct rp_cli cli = {
	    "check-config",
	    "Reads the configuration, the secrets and the certificates as `runpost send` and "
	    "`runpost serve`\ndo at their start, touches nothing, and prints \"ok\", and what the "
	    "front door is, if the file says anything of it.\nWhat works and should be mended is a "
	    "warning on standard error.\n"
	    "For each URL it prints the settings in effect, the limits of its host, section and "
	    "path, and the line each comes from; secrets "
	    "are never shown.\n"
	    "Exit: 0 all is well, 64 usage or a wrong URL, 78 the configuration, a secret or a "
	    "certificate is wrong.",
	    options, sizeof options / sizeof options[0]};
	struct rp_settings settings;
	struct rp_door_secrets secrets = {0};
	struct rp_error err = {0};
	struct rp_buf encoded = {0};
	struct rp_span sent;
	struct rp_url url;
	int first = argc, i, code = rp_cli_parse_operands(&cli, "URL", argc, argv, &first);

	for (i = first; code == RP_CLI_GO_ON && i < argc; i++)
		if (rp_url_accept(rp_span_of(argv[i]), &encoded, &sent, &url, &err) != RP_OK)
			code = rp_cli_usage_error("check-config", "%s", err.text);
	rp_buf_release(&encoded);
	if (code == RP_CLI_GO_ON)
		code = rp_cli_settings("check-config", config, NULL, &settings);
	if (code != RP_CLI_GO_ON)
		return code;
	if (rp_settings_load_secrets(&settings, &err) == RP_OK &&
	    check_webhook(&settings.config, &err) == RP_OK &&
	    rp_settings_load_door(&settings, &err) == RP_OK &&
	    rp_door_setup_count(&settings, &secrets, &err) == RP_OK) {
		code = check(&settings, &secrets, argv + first, argc - first);
	} else {
		fprintf(stderr, "runpost check-config: %s\n", err.text);
		code = RP_EXIT_CONFIG;
	}
	rp_settings_release(&settings);
	return code;
}
