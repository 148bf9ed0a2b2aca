/* Webhook URLs: what is taken, what is refused, and what people get to see of them. */
#include "net/url.h"

#include <check.h>
#include <stdlib.h>

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct rp_url parsed(const char *text)
{
	struct rp_error err = {0};
	struct rp_url url;

	ck_assert_msg(rp_url_parse(rp_span_of(text), &url, &err) == RP_OK, "%s: %s", text,
		      err.text);
	return url;
}

static void check_span(const char *what, const char *text, struct rp_span got, const char *want)
{
	ck_assert_msg(rp_span_is(got, want), "%s of %s: got '%.*s', want '%s'", what, text,
		      (int)got.len, got.ptr, want);
}

static const struct {
	const char *text;
	bool https;
	const char *host;
	unsigned port;
	const char *path, *query;
	bool has_query;
} good[] = {
    {"https://a.example", true, "a.example", 443, "", "", false},
    {"http://a.example", false, "a.example", 80, "", "", false},
    {"HTTPS://A.Example/Hook", true, "A.Example", 443, "/Hook", "", false},
    {"https://a.example/", true, "a.example", 443, "/", "", false},
    {"https://a.example?", true, "a.example", 443, "", "", true},
    {"https://a.example?x=1", true, "a.example", 443, "", "x=1", true},
    {"https://a.example?x=/a/b", true, "a.example", 443, "", "x=/a/b", true},
    {"https://a.example/h?x=1?y:@", true, "a.example", 443, "/h", "x=1?y:@", true},
    {"http://127.0.0.1:8080/h", false, "127.0.0.1", 8080, "/h", "", false},
    {"http://2130706433/h", false, "2130706433", 80, "/h", "", false},
    {"https://a.example:1", true, "a.example", 1, "", "", false},
    {"https://a.example:65535/", true, "a.example", 65535, "/", "", false},
    {"https://a.example.:443/", true, "a.example.", 443, "/", "", false},
    {"https://[2001:DB8::1]/x", true, "[2001:DB8::1]", 443, "/x", "", false},
    {"https://[::ffff:127.0.0.1]:8443/x", true, "[::ffff:127.0.0.1]", 8443, "/x", "", false},
    {"https://my_host-1/", true, "my_host-1", 443, "/", "", false},
    {"https://a/p;v=1/@b/%2F%c3%a9/~!$&'()*+,=:", true, "a", 443,
     "/p;v=1/@b/%2F%c3%a9/~!$&'()*+,=:", "", false},
    {"https://a/...//.x/y.", true, "a", 443, "/...//.x/y.", "", false},
    {"https://a/[x]|^?[x]|^{`}", true, "a", 443, "/[x]|^", "[x]|^{`}", true},
    {"https://a/?u=../..", true, "a", 443, "/", "u=../..", true},
};

START_TEST(a_good_url_is_taken_apart)
{
	struct rp_url url = parsed(good[_i].text);

	ck_assert_msg(url.https == good[_i].https, "scheme of %s", good[_i].text);
	ck_assert_msg(url.port == good[_i].port, "port of %s: %u", good[_i].text, url.port);
	ck_assert_msg(url.has_query == good[_i].has_query, "has_query of %s", good[_i].text);
	check_span("host", good[_i].text, url.host, good[_i].host);
	check_span("path", good[_i].text, url.path, good[_i].path);
	check_span("query", good[_i].text, url.query, good[_i].query);
}
END_TEST

static const struct {
	const char *text, *says;
} bad[] = {
    {"", "empty"},
    {"a.example/hook", "does not begin"},
    {"//a.example/hook", "does not begin"},
    {"https:/a.example/hook", "does not begin"},
    {"https:a.example", "does not begin"},
    {"http:", "does not begin"},
    {"https//a.example", "does not begin"},
    {"ftp://a.example/", "does not begin"},
    {"file:///etc/passwd", "does not begin"},
    {"httpss://a.example/", "does not begin"},
    {" https://a.example/", "byte 1 "},
    {"https://", "no host"},
    {"https:///path", "no host"},
    {"https://?x=1", "no host"},
    {"https://:443/", "no host"},
    {"https://user@a.example/", "user name"},
    {"https://user:SECRET@a.example/", "user name"},
    {"https://@a.example/", "user name"},
    {"https://a.example:80@b.example/", "user name"},
    {"https://a\\@b.example/", "byte 10 "},
    {"https://a.example/\\b", "byte 19 "},
    {"https://a.example/b c", "byte 20 "},
    {"https://a.example/b\tc", "byte 20 "},
    {"https://a.example/b\r\nX: y", "byte 20 "},
    {"https://a.example/b\x7f", "byte 20 "},
    {"https://\xc3\xa4.example/", "byte 9 "},
    {"https://a.example/\xc3\xa4", "byte 19 "},
    {"https://a.example/#top", "fragment"},
    {"https://a.example#@b.example/", "fragment"},
    {"https://a.example/?x=1#", "fragment"},
    {"https://a%2eexample/", "'%'"},
    {"https://a.example%00/", "'%'"},
    {"https://a,b/", "','"},
    {"https://a..b/", "empty label"},
    {"https://.a/", "empty label"},
    {"https://./", "empty label"},
    {"https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b/",
     "label of more"},
    {"https://a.example:/", "port"},
    {"https://a.example:0/", "port"},
    {"https://a.example:080/", "port"},
    {"https://a.example:65536/", "port"},
    {"https://a.example:99999999999999999999/", "port"},
    {"https://a.example:80a/", "port"},
    {"https://a.example:-1/", "port"},
    {"https://a.example:+80/", "port"},
    {"https://a:80:81/", "port"},
    {"https://::1/", "no host"},
    {"https://[::1/", "no ']'"},
    {"https://[]/", "not an IPv6"},
    {"https://[127.0.0.1]/", "not an IPv6"},
    {"https://[fe80::1%25eth0]/", "not an IPv6"},
    {"https://[v1.x]/", "not an IPv6"},
    {"https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "not an IPv6"},
    {"https://[::1]8080/", "may follow"},
    {"https://[::1].example/", "may follow"},
    {"https://[::1]:/", "port"},
    {"https://a.example/a{0", "byte 20 of the URL may not stand in a path"},
    {"https://a.example/\"", "byte 19 of the URL may not stand in a path"},
    {"https://a.example/`", "byte 19 of the URL may not stand in a path"},
    {"https://a.example/?a=<b", "byte 22 of the URL may not stand in a query"},
    {"https://a.example/?a\"SECRET", "byte 21 of the URL may not stand in a query"},
    {"https://a.example/%", "byte 19 "},
    {"https://a.example/%4", "byte 19 "},
    {"https://a.example/%4g", "byte 19 "},
    {"https://a.example/?x=%SECRET", "byte 22 "},
    {"https://a.example/./x", "segment"},
    {"https://a.example/x/..", "segment"},
    {"https://a.example/x/.%2E/y", "segment"},
    {"https://a.example/%2e%2e/y?t=SECRET", "segment"},
};

START_TEST(a_doubtful_url_is_refused_with_a_sentence_that_keeps_secrets)
{
	struct rp_error err = {0};
	struct rp_url url = {.port = 7};

	ck_assert_msg(rp_url_parse(rp_span_of(bad[_i].text), &url, &err) == RP_ERR_INVAL,
		      "%s was taken", bad[_i].text);
	ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s: '%s' lacks '%s'", bad[_i].text,
		      err.text, bad[_i].says);
	ck_assert_msg(strstr(err.text, "SECRET") == NULL, "%s: '%s' tells the secret", bad[_i].text,
		      err.text);
	ck_assert_uint_eq(url.port, 7);
	ck_assert_int_eq(rp_url_parse(rp_span_of(bad[_i].text), &url, NULL), RP_ERR_INVAL);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	struct rp_span text = {"https://a.example/\0x", 20};
	struct rp_url url;

	ck_assert_int_eq(rp_url_parse(text, &url, NULL), RP_ERR_INVAL);
	ck_assert_int_eq(rp_url_parse((struct rp_span){NULL, 0}, &url, NULL), RP_ERR_INVAL);
}
END_TEST

START_TEST(nothing_behind_the_span_is_read)
{
	struct rp_url url;

	ck_assert_int_eq(rp_url_parse((struct rp_span){"https://a.example/%41", 20}, &url, NULL),
			 RP_ERR_INVAL);
	ck_assert_int_eq(rp_url_parse((struct rp_span){"https://a.example/?%41", 21}, &url, NULL),
			 RP_ERR_INVAL);
	ck_assert_int_eq(rp_url_parse((struct rp_span){"https://a.example:44", 19}, &url, NULL),
			 RP_OK);
	ck_assert_uint_eq(url.port, 4);
}
END_TEST

START_TEST(length_limits_are_exact)
{
	static char text[RP_URL_MAX + 2];
	struct rp_url url;
	size_t i, label = 0;

	memset(text, 'a', sizeof text);
	memcpy(text, "https://a/", 10);
	ck_assert_int_eq(rp_url_parse((struct rp_span){text, RP_URL_MAX}, &url, NULL), RP_OK);
	ck_assert_uint_eq(url.path.len, RP_URL_MAX - 9);
	ck_assert_int_eq(rp_url_parse((struct rp_span){text, RP_URL_MAX + 1}, &url, NULL),
			 RP_ERR_INVAL);
	for (i = 8; i < 8 + 254; i++) {
		label = label == 63 ? 0 : label + 1;
		text[i] = label == 0 ? '.' : 'a';
	}
	ck_assert_int_eq(rp_url_parse((struct rp_span){text, 8 + 253}, &url, NULL), RP_OK);
	ck_assert_int_eq(rp_url_parse((struct rp_span){text, 8 + 254}, &url, NULL), RP_ERR_INVAL);
}
END_TEST

static const struct {
	const char *text, *endpoint, *redacted;
} shown[] = {
    {"HTTPS://A.Example", "https://a.example/", "https://a.example/"},
    {"https://a.example:443/Hook", "https://a.example/Hook", "https://a.example/Hook"},
    {"http://a.example:80/", "http://a.example/", "http://a.example/"},
    {"https://a.example:80/", "https://a.example:80/", "https://a.example:80/"},
    {"http://a.example:443/", "http://a.example:443/", "http://a.example:443/"},
    {"http://[FE80::A]:8080/x", "http://[fe80::a]:8080/x", "http://[fe80::a]:8080/x"},
    {"https://A.Example.:443/x", "https://a.example/x", "https://a.example/x"},
    {"https://a/%69n%2fb%c3%a9%7E?%69=SECRET", "https://a/in%2Fb%C3%A9~",
     "https://a/in%2Fb%C3%A9~?REDACTED"},
    {"http://2130706433/", "http://127.0.0.1/", "http://127.0.0.1/"},
    {"http://0x7f.1:81/", "http://127.0.0.1:81/", "http://127.0.0.1:81/"},
    {"http://[::ffff:7f00:1]/", "http://127.0.0.1/", "http://127.0.0.1/"},
    {"http://[0:0:0:0::1]/", "http://[::1]/", "http://[::1]/"},
    {"http://1.2.3.4.5/", "http://1.2.3.4.5/", "http://1.2.3.4.5/"},
    {"http://10.0.0.255/", "http://10.0.0.255/", "http://10.0.0.255/"},
    {"http://010.0.0.1/", "http://8.0.0.1/", "http://8.0.0.1/"},
    {"http://10.0.0.256/", "http://10.0.0.256/", "http://10.0.0.256/"},
    {"http://1.2.3.4./", "http://1.2.3.4/", "http://1.2.3.4/"},
    {"https://a/h?", "https://a/h", "https://a/h?"},
    {"https://a?token=SECRET", "https://a/", "https://a/?token=REDACTED"},
    {"https://a/h?token=SECRET&op=SECRET", "https://a/h", "https://a/h?token=REDACTED&op=REDACTED"},
    {"https://a/h?SECRET", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?SECRET&x=SECRET", "https://a/h", "https://a/h?REDACTED&x=REDACTED"},
    {"https://a/h?SECRET=", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?SECRETb64==", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?=SECRET", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?SECRET%20=x", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?SECRET/+x=1", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?SECRETxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1", "https://a/h", "https://a/h?REDACTED"},
    {"https://a/h?a=b=SECRET", "https://a/h", "https://a/h?a=REDACTED"},
    {"https://a/h?a=1&&b=2&", "https://a/h", "https://a/h?a=REDACTED&&b=REDACTED&"},
    {"https://a/h?a=1;token=SECRET", "https://a/h", "https://a/h?a=REDACTED"},
    {"https://a/h?x?token=SECRET", "https://a/h", "https://a/h?REDACTED"},
};

START_TEST(people_see_the_endpoint_and_parameter_names_only)
{
	struct rp_url url = parsed(shown[_i].text);
	struct rp_buf out = {0};

	ck_assert(rp_buf_add_text(&out, "url="));
	ck_assert(rp_url_endpoint(&url, &out));
	ck_assert_str_eq(out.data + 4, shown[_i].endpoint);
	rp_buf_clear(&out);
	ck_assert(rp_url_redact(&url, &out));
	ck_assert_str_eq(out.data, shown[_i].redacted);
	ck_assert_ptr_null(strstr(out.data, "SECRET"));
	rp_buf_release(&out);
}
END_TEST

START_TEST(a_full_buffer_is_left_as_it_was)
{
	struct rp_url url = parsed("https://a.example:444/hook?token=x1234");
	struct rp_buf out = {.max = 45};
	size_t room;

	for (room = 1; room < 38; room++) {
		rp_buf_release(&out);
		out.max = room + 1;
		ck_assert(rp_buf_add_char(&out, '>'));
		ck_assert_msg(!rp_url_redact(&url, &out), "room %zu", room);
		ck_assert_str_eq(out.data, ">");
		if (room < 26) {
			ck_assert_msg(!rp_url_endpoint(&url, &out), "room %zu", room);
			ck_assert_str_eq(out.data, ">");
		}
	}
	rp_buf_release(&out);
}
END_TEST

static const struct {
	const char *url, *text, *masked;
} masks[] = {
    {"https://a/?token=s3cr", "no token=s3cr here s3cr", "no token=**** here ****"},
    {"https://a/?token=abc", "abc abc", "abc abc"},
    {"https://a/", "abc abc", "abc abc"},
    {"https://a/?t=ab%2Fcd%21", "ab/cd! and ab%2Fcd%21", "****** and **********"},
    {"https://a/?t=ab%2fcd", "ab%2fcd", "*******"},
    {"https://a/?t=%41%42", "%41%42 AB", "****** AB"},
    {"https://a/?t=my+pass", "my pass, my+pass", "*******, *******"},
    {"https://a/?BareToken", "got BareToken", "got *********"},
    {"https://a/?BareToken==", "got BareToken!", "got *********!"},
    {"https://a/?odd%20name=value", "odd name odd%20name value", "******** ********** *****"},
    {"https://a/?token=zzzz", "token zzzz", "token ****"},
    {"https://a/?a=abcd&b=abcdefgh", "abcdefgh", "********"},
    {"https://a/?a=abcdefghij&b=bcde", "abcdefghij", "**********"},
    {"https://a/?a=abcdX&b=Xefgh", "-abcdXefgh-", "-*********-"},
    {"https://a/?a=aaaaa", "aaaaaaa", "*******"},
    {"https://a/?a=secretvalue", "cut off: secretv", "cut off: *******"},
    {"https://a/?a=secretvalue", "cut off: sec", "cut off: sec"},
    {"https://a/?a=secretvalue", "secretXalue", "secretXalue"},
    {"https://a/?a=se=cr=et", "se=cr=et", "********"},
    {"https://a/?a=%00bin%ff", "", ""},
    {"https://a/?t=Qk9/SEKRET==", "Qk9%2FSEKRET%3D%3D", "Qk9%2F******%3D%3D"},
    {"https://a/?t=Qk9%2FSEKRET%3D", "Qk9%2fSEKRET%3d", "Qk9%2f******%3d"},
    {"https://a/?t=Qk9/SEKRET", "Qk9%252FSEKRET", "Qk9%252F******"},
    {"https://a/?t=Qk9%252FSEKRET", "Qk9/SEKRET", "Qk9/******"},
    {"https://a/?t=Qk9%2BSEKRET", "Qk9\\u002bSEKRET", "Qk9\\u002b******"},
    {"https://a/?t=Qk9/SEKRET", "Qk9\\/SEKRET", "Qk9\\/******"},
    {"https://a/?t=Qk9%2BSEKRET", "Qk9&#43;SEKRET&#x3D;", "Qk9&#43;******&#x3D;"},
    {"https://a/?t=some+pass", "some%20pass", "****%20****"},
    {"https://a/?t=ab+cd%2Fpass", "ab cd&#x2F;pass cd/pa", "ab cd&#x2F;**** cd/pa"},
    {"https://a/?t=abcd/%41BCDE", "ABCDE %41BCDE BCD", "A**** %41**** BCD"},
    {"https://a/?Qk9%2FSEKRET", "Qk9&#x2F;SEKRET", "Qk9&#x2F;******"},
};

START_TEST(query_values_in_a_response_are_masked)
{
	struct rp_url url = parsed(masks[_i].url);
	size_t n = strlen(masks[_i].text);
	/* of exact size, so that the sanitizer sees an overrun */
	unsigned char *text = malloc(n + 1);

	ck_assert_ptr_nonnull(text);
	memcpy(text, masks[_i].text, n + 1);
	rp_url_mask_secrets(&url, text, n);
	ck_assert_msg(strcmp((char *)text, masks[_i].masked) == 0, "%s in '%s': '%s', want '%s'",
		      masks[_i].url, masks[_i].text, (char *)text, masks[_i].masked);
	free(text);
}
END_TEST

START_TEST(binary_text_is_masked_too)
{
	struct rp_url url = parsed("https://a/?t=%00b%ff%0a");
	unsigned char text[] = {'x', 0, 'b', 0xff, '\n', 0, 'y'};

	rp_url_mask_secrets(&url, text, sizeof text);
	ck_assert_mem_eq(text, "x****\0y", sizeof text);
}
END_TEST

static const struct {
	const char *prefix, *url;
	size_t match;
} prefixes[] = {
    {"https://a.example", "https://a.example/", 1},
    {"https://a.example", "https://a.example", 1},
    {"https://a.example", "https://A.EXAMPLE/x/y?z", 1},
    {"https://a.example:443", "https://a.example/x", 1},
    {"https://a.example/", "https://a.example", 2},
    {"https://a.example/", "https://a.example/x", 2},
    {"https://a.example/x", "https://a.example/x", 3},
    {"https://a.example/x", "https://a.example/x?q=1", 3},
    {"https://a.example/x", "https://a.example/x/y", 3},
    {"https://a.example/x/", "https://a.example/x/y", 4},
    {"https://a.example/x/", "https://a.example/x", 0},
    {"https://a.example/x", "https://a.example/xy", 0},
    {"https://a.example/x", "https://a.example/X", 0},
    {"https://a.example/x", "https://a.example/", 0},
    {"https://a.example/x", "https://a.example", 0},
    {"https://a.example", "http://a.example/", 0},
    {"https://a.example", "https://a.example:444/", 0},
    {"http://a.example:443", "https://a.example/", 0},
    {"https://a.example", "https://a.example.evil.test/", 0},
    {"https://a.example", "https://evil.test/a.example", 0},
    {"https://a.example", "https://ba.example/", 0},
    {"https://a.example", "https://a.example./", 1},
    {"https://a.example./x", "https://A.example/x", 3},
    {"https://a.example/in", "https://a.example/%69n", 4},
    {"https://a.example/%69n", "https://a.example/in", 4},
    {"https://a.example/in", "https://a.example/%69%6e%2Fx", 4},
    {"https://a.example/in", "https://a.example//in", 4},
    {"https://a.example/in/a", "https://a.example/in//a/b", 6},
    {"https://a.example/in", "https://a.example/x%2F../in", 4},
    {"https://a.example/in", "https://a.example/x%5c..%5Cin", 4},
    {"https://a.example/in", "https://a.example/%2e%2e%2fin", 4},
    {"https://a.example/in", "https://a.example/x%2F../inn", 0},
    {"https://a.example/caf%C3%A9", "https://a.example/caf%c3%a9/x", 7},
    {"https://a.example/hooks/in", "https://a.example/hooks;v=1/in/S", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks/in;/S", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks/in;v=1", 10},
    {"https://a.example/hooks/in", "https://a.example/;/hooks/in", 10},
    {"https://a.example/hooks/in", "https://a.example/x/..;/hooks/in/S", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks/%3B/in/S", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks%3bv/in/S", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks;x%2Fy/in", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks;x%2Fy/%3B/in", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks;v/in/..%3B/x", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks/%2569n", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks%252Fin", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks%253Bv/in", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks%253%42v/in", 10},
    {"https://a.example/hooks/in", "https://a.example/x%255C..%255chooks%2Fin", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks/in/..;/x", 10},
    {"https://a.example/hooks/in", "https://a.example/hooks;v=1/inn", 0},
    {"https://a.example/hooks/in", "https://a.example/hooks;/v=1/in", 0},
    {"https://a.example/hooks/in", "https://a.example/hooks/Xin;/S", 0},
    {"https://a.example/hooks/in", "https://a.example/Hooks/In", 0},
    {"https://a.example/hooks;v=1/in", "https://a.example/hooks/in/x", 10},
    {"https://a.example/hooks;v=1/in", "https://a.example/hooks;v=1/in/x", 14},
    {"https://a.example/100%25", "https://a.example/100%25/x", 6},
    {"https://a.example/100%25", "https://a.example/100%2525/x", 6},
    {"http://127.0.0.1/x", "http://2130706433/x", 3},
    {"http://127.0.0.1/x", "http://127.1./x", 3},
    {"http://127.0.0.1/x", "http://[::ffff:127.0.0.1]/x", 3},
    {"http://[::1]/x", "http://[0:0::1]/x", 3},
    {"http://127.0.0.1/x", "http://127.0.0.2/x", 0},
    {"http://1.a/x", "http://1.b/x", 0},
};

START_TEST(a_prefix_covers_whole_segments_of_its_own_host)
{
	struct rp_url prefix = parsed(prefixes[_i].prefix), url = parsed(prefixes[_i].url);
	size_t got = rp_url_match_prefix(&prefix, &url);

	ck_assert_msg(got == prefixes[_i].match, "%s over %s: %zu, want %zu", prefixes[_i].prefix,
		      prefixes[_i].url, got, prefixes[_i].match);
}
END_TEST

START_TEST(random_text_never_breaks_the_parser_and_good_urls_parse_again)
{
	static const char alphabet[] = "htps:/@?#[]%.aZ09&=-\\ \x80";
	uint64_t x = UINT64_C(88172645463325252);
	struct rp_buf out = {0};
	int round;

	for (round = 0; round < 20000; round++) {
		char text[32] = "https://a";
		struct rp_url url, again;
		size_t i, n;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		n = 9 + x % 22;
		for (i = x % 2 ? 9 : 0; i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[i] = alphabet[x % (sizeof alphabet - 1)];
		}
		if (rp_url_parse((struct rp_span){text, n}, &url, NULL) != RP_OK)
			continue;
		rp_buf_clear(&out);
		ck_assert(rp_url_endpoint(&url, &out));
		ck_assert_msg(rp_url_parse((struct rp_span){out.data, out.len}, &again, NULL) ==
				  RP_OK,
			      "%.*s -> %s", (int)n, text, out.data);
		ck_assert_msg(rp_url_match_prefix(&again, &url) > 1, "%s", out.data);
		ck_assert(rp_url_redact(&url, &out));
	}
	rp_buf_release(&out);
}
END_TEST

/* What httpx 0.28 sends for each; NULL: refused. */
static const struct {
	const char *given, *sent;
} accepted[] = {
    {"https://a/x?y", "https://a/x?y"},
    {"https://a/a b?c d", "https://a/a%20b?c%20d"},
    {"https://a/{id}?q={id}", "https://a/%7Bid%7D?q={id}"},
    {"https://a/`\"<>?`\"<>", "https://a/%60%22%3C%3E?`%22%3C%3E"},
    {"https://a/caf\xc3\xa9?\xe2\x82\xac", "https://a/caf%C3%A9?%E2%82%AC"},
    {"https://a?a b", "https://a?a%20b"},
    {"https://a/[x]|^ %20", "https://a/[x]|^%20%20"},
    {"HTTPS://A/ x", "HTTPS://A/%20x"},
    {" https://a/", NULL},
    {"https://a/ ", NULL},
    {"https://a b/", NULL},
    {"https://\xc3\xa4/", NULL},
    {"https://u@a/ x", NULL},
    {"https://a/ x%", NULL},
    {"https://a/ x%zz", NULL},
    {"https://a/ x\\", NULL},
    {"https://a/ x#", NULL},
    {"https://a/ x/../y", NULL},
    {"https://a/ \t", NULL},
    {"https://a/ \x7f", NULL},
    {"a b", NULL},
    {"", NULL},
};

START_TEST(a_url_is_sent_as_the_engine_would_have_sent_it)
{
	struct rp_buf room = {0};
	struct rp_span sent;
	struct rp_error err = {0};
	struct rp_url url;
	enum rp_err rc = rp_url_accept(rp_span_of(accepted[_i].given), &room, &sent, &url, &err);

	if (accepted[_i].sent == NULL) {
		ck_assert_msg(rc == RP_ERR_INVAL && err.text[0] != '\0', "%s was taken",
			      accepted[_i].given);
	} else {
		ck_assert_msg(rc == RP_OK, "%s: %s", accepted[_i].given, err.text);
		check_span("encoded", accepted[_i].given, sent, accepted[_i].sent);
		ck_assert_int_eq(rp_url_parse(sent, &url, NULL), RP_OK);
	}
	rp_buf_release(&room);
}
END_TEST

START_TEST(an_encoded_url_is_no_longer_than_others)
{
	static char text[RP_URL_MAX];
	struct rp_buf room = {0}, small = {.max = 20};
	struct rp_span sent, given = {text, 0};
	struct rp_url url;

	memset(text, 'a', sizeof text);
	memcpy(text, "https://a/ ", 11);
	given.len = RP_URL_MAX - 2;
	ck_assert_int_eq(rp_url_accept(given, &room, &sent, &url, NULL), RP_OK);
	ck_assert_uint_eq(sent.len, RP_URL_MAX);
	given.len++;
	ck_assert_int_eq(rp_url_accept(given, &room, &sent, &url, NULL), RP_ERR_INVAL);
	memset(text + 10, ' ', sizeof text - 11);
	given.len = RP_URL_MAX;
	ck_assert_int_eq(rp_url_accept(given, &room, &sent, &url, NULL), RP_ERR_INVAL);
	ck_assert_int_eq(rp_url_accept(given, &small, &sent, &url, NULL), RP_ERR_NOMEM);
	rp_buf_release(&room);
	rp_buf_release(&small);
}
END_TEST

START_TEST(a_path_of_the_greatest_length_is_resolved_in_its_room)
{
	static char text[RP_URL_MAX];
	struct rp_url url, prefix = parsed("https://a//%69n");
	size_t i;

	for (i = 0; i < sizeof text; i++)
		text[i] = i % 2 ? '/' : 'x';
	memcpy(text, "https://a//in///", 16);
	ck_assert_int_eq(rp_url_parse((struct rp_span){text, sizeof text}, &url, NULL), RP_OK);
	ck_assert_uint_eq(rp_url_match_prefix(&prefix, &url), 4);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("url");
	TCase *tc = tcase_create("url");

	tcase_add_loop_test(tc, a_good_url_is_taken_apart, 0, N(good));
	tcase_add_loop_test(tc, a_doubtful_url_is_refused_with_a_sentence_that_keeps_secrets, 0,
			    N(bad));
	tcase_add_test(tc, a_nul_byte_is_refused);
	tcase_add_test(tc, nothing_behind_the_span_is_read);
	tcase_add_test(tc, length_limits_are_exact);
	tcase_add_loop_test(tc, people_see_the_endpoint_and_parameter_names_only, 0, N(shown));
	tcase_add_test(tc, a_full_buffer_is_left_as_it_was);
	tcase_add_loop_test(tc, query_values_in_a_response_are_masked, 0, N(masks));
	tcase_add_test(tc, binary_text_is_masked_too);
	tcase_add_loop_test(tc, a_prefix_covers_whole_segments_of_its_own_host, 0, N(prefixes));
	tcase_add_loop_test(tc, a_url_is_sent_as_the_engine_would_have_sent_it, 0, N(accepted));
	tcase_add_test(tc, an_encoded_url_is_no_longer_than_others);
	tcase_add_test(tc, a_path_of_the_greatest_length_is_resolved_in_its_room);
	tcase_add_test(tc, random_text_never_breaks_the_parser_and_good_urls_parse_again);
	suite_add_tcase(s, tc);
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
