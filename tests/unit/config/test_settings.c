#include "config/settings.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* base64 of "0123456789abcdef01234567" and "fedcba9876543210fedcba98", 24 bytes each */
#define SECRET_A "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
#define SECRET_B "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4"

static char dir[64], conf[96];
static struct rp_settings settings;
static struct rp_error error;

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

static void setup(void)
{
	char *at = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/settings.XXXXXX",
		 at != NULL && strlen(at) < 40 ? at : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(at = realpath(dir, NULL));
	ck_assert_uint_lt(strlen(at), sizeof dir);
	strcpy(dir, at);
	free(at);
	strcpy(conf, in_dir("r.conf"));
	memset(&settings, 0, sizeof settings);
	memset(&error, 0, sizeof error);
}

static void teardown(void)
{
	static const char *const names[] = {"r.conf", "a.key", "b.key"};
	size_t i;

	rp_settings_release(&settings);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(in_dir(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
}

static void load_ok(const char *text)
{
	put("r.conf", text, 0600);
	ck_assert_msg(rp_settings_load(conf, &settings, &error) == RP_OK, "%s", error.text);
}

static void check_signs_with(const struct rp_policy *policy, const char *secret)
{
	struct rp_buf header = {0};
	struct rp_signer *verifier, *signer = rp_settings_signer(&settings, policy);

	ck_assert_ptr_nonnull(signer);
	ck_assert(
	    rp_signer_sign(signer, rp_span_of("msg_1"), 1700000000, rp_span_of("{}"), &header));
	ck_assert_int_eq(rp_signer_new(rp_span_of(secret), &verifier, &error), RP_OK);
	ck_assert_msg(rp_signer_verify(verifier, rp_span_of("msg_1"), rp_span_of("1700000000"),
				       rp_span_of("{}"), (struct rp_span){header.data, header.len}),
		      "%s signs with another key", policy->name);
	rp_signer_free(verifier);
	rp_buf_release(&header);
}

START_TEST(a_file_is_loaded)
{
	load_ok("[sender]\nin_flight = 9\n");
	ck_assert_str_eq(settings.path, conf);
	ck_assert_uint_eq(settings.config.sender_in_flight, 9);
	ck_assert_str_eq(settings.config.outbox_dir, "/var/lib/runpost");
	ck_assert_ptr_eq(settings.config.defaults.guard.allow, settings.config.defaults.allow);
}
END_TEST

START_TEST(no_file_is_all_defaults)
{
	if (access(RP_SETTINGS_PATH, F_OK) == 0)
		return; /* this machine has one; what it says is not ours to test */
	ck_assert_int_eq(rp_settings_load(NULL, &settings, &error), RP_OK);
	ck_assert_ptr_null(settings.path);
	ck_assert_uint_eq(settings.config.sender_in_flight, 256);
	ck_assert_int_eq(rp_settings_load_secrets(&settings, &error), RP_OK);
	ck_assert_ptr_null(rp_settings_signer(&settings, &settings.config.defaults));
}
END_TEST

START_TEST(a_given_file_must_be_there)
{
	ck_assert_int_eq(rp_settings_load(conf, &settings, &error), RP_ERR_NOTFOUND);
	ck_assert_msg(strstr(error.text, conf) != NULL, "%s", error.text);
}
END_TEST

START_TEST(a_directory_is_no_configuration)
{
	ck_assert_int_eq(rp_settings_load(dir, &settings, &error), RP_ERR_IO);
	ck_assert_msg(strstr(error.text, dir) != NULL, "%s", error.text);
}
END_TEST

START_TEST(a_wrong_file_is_told_by_name_and_line)
{
	char want[200];

	put("r.conf", "[sender]\nlease = soon\n", 0600);
	ck_assert_int_eq(rp_settings_load(conf, &settings, &error), RP_ERR_INVAL);
	snprintf(want, sizeof want, "%s:2: [sender] lease = soon: not a duration;", conf);
	ck_assert_msg(strncmp(error.text, want, strlen(want)) == 0, "%s", error.text);
	ck_assert_ptr_null(settings.path);
}
END_TEST

START_TEST(a_file_may_have_a_mebibyte_and_no_more)
{
	size_t mib = (size_t)1 << 20, i;
	char *text = malloc(mib + 2);

	memset(text, '#', mib + 1);
	for (i = 99; i < mib; i += 100)
		text[i] = '\n';
	text[mib] = '\0';
	load_ok(text);
	rp_settings_release(&settings);
	text[mib] = '#';
	text[mib + 1] = '\0';
	put("r.conf", text, 0600);
	free(text);
	ck_assert_int_eq(rp_settings_load(conf, &settings, &error), RP_ERR_INVAL);
	ck_assert_msg(strstr(error.text, "larger than 1 MiB") != NULL, "%s", error.text);
}
END_TEST

START_TEST(relative_paths_start_at_the_file)
{
	const struct rp_policy *p;

	load_ok(
	    "[outbox]\ndir = out\n[defaults]\nca_file = pki/ca.pem\nclient_cert = /etc/c.pem\n"
	    "[endpoint \"a\"]\nurl = https://a.example\nsecret_file = a.key\nclient_key = k.pem\n");
	ck_assert_str_eq(settings.config.outbox_dir, in_dir("out"));
	ck_assert_str_eq(settings.config.defaults.ca_file, in_dir("pki/ca.pem"));
	ck_assert_str_eq(settings.config.defaults.client_cert, "/etc/c.pem");
	ck_assert_ptr_null(settings.config.defaults.secret_file);
	p = &settings.config.endpoints[0];
	ck_assert_str_eq(p->ca_file, in_dir("pki/ca.pem"));
	ck_assert_str_eq(p->secret_file, in_dir("a.key"));
	ck_assert_str_eq(p->client_key, in_dir("k.pem"));
}
END_TEST

START_TEST(each_policy_signs_with_its_own_secret)
{
	put("a.key", "# newest first\n" SECRET_A "\n", 0640);
	setenv("RUNPOST_TEST_SECRET", SECRET_B, 1);
	load_ok("[defaults]\nsecret_file = a.key\n"
		"[endpoint \"same\"]\nurl = https://a.example\n"
		"[endpoint \"env\"]\nurl = https://b.example\nsecret_env = RUNPOST_TEST_SECRET\n"
		"[endpoint \"none\"]\nurl = https://c.example\nsecret_file =\n");
	ck_assert_msg(rp_settings_load_secrets(&settings, &error) == RP_OK, "%s", error.text);
	check_signs_with(&settings.config.defaults, SECRET_A);
	check_signs_with(&settings.config.endpoints[0], SECRET_A);
	check_signs_with(&settings.config.endpoints[1], SECRET_B);
	ck_assert_ptr_null(rp_settings_signer(&settings, &settings.config.endpoints[2]));
}
END_TEST

static void check_secret_refused(enum rp_err code, const char *text)
{
	ck_assert_int_eq(rp_settings_load_secrets(&settings, &error), code);
	ck_assert_int_eq(error.code, code);
	ck_assert_msg(strncmp(error.text, conf, strlen(conf)) == 0, "%s", error.text);
	ck_assert_msg(strstr(error.text, text) != NULL, "got %s, want %s", error.text, text);
	ck_assert_msg(strstr(error.text, "MDEy") == NULL && strstr(error.text, "hunter2") == NULL,
		      "%s", error.text);
	ck_assert_ptr_null(settings.signers);
}

START_TEST(a_secret_file_that_others_can_reach_is_refused)
{
	static const mode_t modes[] = {0604, 0602, 0601, 0620, 0610, 0644, 0666, 0777};
	char want[200];
	size_t i;

	put("b.key", SECRET_B "\n", 0600);
	load_ok("[defaults]\nsecret_file = b.key\n[endpoint \"a\"]\nurl = "
		"https://a.example\nsecret_file = a.key\n");
	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		put("a.key", SECRET_A "\n", modes[i]);
		snprintf(want, sizeof want,
			 ": [endpoint \"a\"] secret_file = %s/a.key: mode %04o lets others at the "
			 "secret",
			 dir, modes[i]);
		check_secret_refused(RP_ERR_DENIED, want);
		snprintf(want, sizeof want, "chmod 0600 %s/a.key", dir);
		ck_assert_msg(strstr(error.text, want) != NULL, "%s", error.text);
	}
	put("a.key", SECRET_A "\n", 0400);
	ck_assert_msg(rp_settings_load_secrets(&settings, &error) == RP_OK, "%s", error.text);
}
END_TEST

START_TEST(a_missing_secret_is_named)
{
	load_ok("[defaults]\nsecret_file = a.key\n");
	check_secret_refused(RP_ERR_NOTFOUND, ": [defaults] secret_file = ");
	rp_settings_release(&settings);
	unsetenv("RUNPOST_TEST_SECRET");
	load_ok("[endpoint \"e\"]\nurl = https://a.example\nsecret_env = RUNPOST_TEST_SECRET\n");
	check_secret_refused(
	    RP_ERR_NOTFOUND,
	    ": [endpoint \"e\"] secret_env = RUNPOST_TEST_SECRET: there is no such");
}
END_TEST

START_TEST(a_credential_is_a_file_of_the_directory_that_systemd_names)
{
	put("a.key", SECRET_A "\n", 0400);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	load_ok("[defaults]\nsecret_credential = a.key\n[endpoint \"b\"]\nurl = https://b.example\n"
		"secret_credential = b.key\n");
	check_secret_refused(RP_ERR_NOTFOUND, ": [endpoint \"b\"] secret_credential = ");
	put("b.key", SECRET_B "\n", 0644);
	check_secret_refused(RP_ERR_DENIED, "mode 0644 lets others at the secret");
	put("b.key", SECRET_B "\n", 0440);
	ck_assert_msg(rp_settings_load_secrets(&settings, &error) == RP_OK, "%s", error.text);
	check_signs_with(&settings.config.defaults, SECRET_A);
	check_signs_with(&settings.config.endpoints[0], SECRET_B);
	rp_settings_release(&settings);
	unsetenv("CREDENTIALS_DIRECTORY");
	load_ok("[defaults]\nsecret_credential = a.key\n");
	check_secret_refused(RP_ERR_NOTFOUND,
			     "there is no CREDENTIALS_DIRECTORY; start it by a systemd unit");
}
END_TEST

START_TEST(keys_that_only_verify_are_no_secret_to_send_with)
{
	put("a.key", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n", 0600);
	load_ok("[defaults]\nsecret_file = a.key\n");
	check_secret_refused(RP_ERR_INVAL, "only whpk_ keys, which cannot sign");
}
END_TEST

START_TEST(a_pipe_is_no_secret_and_does_not_hold_up)
{
	load_ok("[defaults]\nsecret_file = a.key\n");
	ck_assert_int_eq(mkfifo(in_dir("a.key"), 0600), 0);
	check_secret_refused(RP_ERR_INVAL, "r.conf:2: [defaults] secret_file = ");
	ck_assert_msg(strstr(error.text, "no regular file") != NULL, "%s", error.text);
}
END_TEST

START_TEST(certificates_that_everybody_may_change_are_refused)
{
	put("a.key", SECRET_A "\n", 0600);
	put("b.key", "whatever", 0646);
	load_ok("[defaults]\nsecret_file = a.key\n[endpoint \"a\"]\nurl = "
		"https://a.example\nca_file = b.key\n");
	check_secret_refused(RP_ERR_DENIED, ":5: [endpoint \"a\"] ca_file = ");
	ck_assert_msg(strstr(error.text, "chmod o-w ") != NULL, "%s", error.text);
	ck_assert_ptr_null(settings.tls);
	ck_assert_ptr_null(rp_settings_tls(&settings, &settings.config.defaults).anchors);
	put("b.key", "whatever", 0664);
	check_secret_refused(RP_ERR_INVAL, "there is no certificate in it");
}
END_TEST

START_TEST(policies_that_name_no_certificates_share_those_of_the_system)
{
	if (access("/etc/ssl/certs/ca-certificates.crt", F_OK) != 0)
		/* Debian's place for them; what a machine without is told is not to be seen on
		 * this one */
		return;
	load_ok("[endpoint \"a\"]\nurl = https://a.example\n");
	ck_assert_msg(rp_settings_load_secrets(&settings, &error) == RP_OK, "%s", error.text);
	ck_assert_ptr_nonnull(rp_settings_tls(&settings, &settings.config.defaults).anchors);
	ck_assert_ptr_eq(rp_settings_tls(&settings, &settings.config.defaults).anchors,
			 rp_settings_tls(&settings, &settings.config.endpoints[0]).anchors);
	ck_assert_ptr_null(rp_settings_tls(&settings, &settings.config.endpoints[0]).identity);
}
END_TEST

START_TEST(only_what_an_operator_must_mend_is_a_bad_configuration)
{
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_INVAL), RP_EXIT_CONFIG);
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_NOTFOUND), RP_EXIT_CONFIG);
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_DENIED), RP_EXIT_CONFIG);
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_NOMEM), RP_EXIT_TEMPFAIL);
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_FULL), RP_EXIT_TEMPFAIL);
	ck_assert_int_eq(rp_settings_exit_code(RP_ERR_IO), RP_EXIT_IO);
}
END_TEST

START_TEST(a_bad_secret_is_not_repeated)
{
	char *large = malloc((64 << 10) + 2);

	load_ok("[defaults]\nsecret_file = a.key\n");
	put("a.key", "hunter2\n", 0600);
	check_secret_refused(RP_ERR_INVAL, ": [defaults] secret_file = ");
	put("a.key", SECRET_A "\nwhsec_hunter2\n", 0600);
	check_secret_refused(RP_ERR_INVAL, "line 2");
	memset(large, '\n', (64 << 10) + 1);
	large[(64 << 10) + 1] = '\0';
	put("a.key", large, 0600);
	free(large);
	check_secret_refused(RP_ERR_INVAL, "larger than 64 KiB");
	rp_settings_release(&settings);
	setenv("RUNPOST_TEST_SECRET", "hunter2", 1);
	load_ok("[defaults]\nsecret_env = RUNPOST_TEST_SECRET\n");
	check_secret_refused(RP_ERR_INVAL, ": [defaults] secret_env = RUNPOST_TEST_SECRET: ");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("settings");
	TCase *t = tcase_create("load");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_is_loaded);
	tcase_add_test(t, no_file_is_all_defaults);
	tcase_add_test(t, a_given_file_must_be_there);
	tcase_add_test(t, a_directory_is_no_configuration);
	tcase_add_test(t, a_wrong_file_is_told_by_name_and_line);
	tcase_add_test(t, a_file_may_have_a_mebibyte_and_no_more);
	tcase_add_test(t, relative_paths_start_at_the_file);
	tcase_add_test(t, each_policy_signs_with_its_own_secret);
	tcase_add_test(t, a_secret_file_that_others_can_reach_is_refused);
	tcase_add_test(t, a_missing_secret_is_named);
	tcase_add_test(t, a_credential_is_a_file_of_the_directory_that_systemd_names);
	tcase_add_test(t, keys_that_only_verify_are_no_secret_to_send_with);
	tcase_add_test(t, a_bad_secret_is_not_repeated);
	tcase_add_test(t, a_pipe_is_no_secret_and_does_not_hold_up);
	tcase_add_test(t, certificates_that_everybody_may_change_are_refused);
	tcase_add_test(t, policies_that_name_no_certificates_share_those_of_the_system);
	tcase_add_test(t, only_what_an_operator_must_mend_is_a_bad_configuration);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
