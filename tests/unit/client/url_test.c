/* url_test.c - what the URL of smtp_send_url says, and what is no such URL (RFC 3986). */
#include "client/url.h"
#include "tests/support/test.h"

#include <stdio.h>

static void show(char *out, size_t size, const struct smtp_client_url *url)
{
    static const char *const policies[] = {"never", "offered", "required", "implicit"};
    const char *const texts[] = {url->user,        url->password,  url->host,     url->ca_file,
                                 url->verify_name, url->mechanism, url->helo_name};
    static const char *const names[] = {"user", "password", "host", "ca", "name", "auth", "helo"};
    size_t len = (size_t)snprintf(out, size, "%s %u%s", policies[url->policy], (unsigned)url->port,
                                  url->insecure ? " insecure" : "");
    len += (size_t)snprintf(out + len, size - len, "%s%s", url->no_chunking ? " no-chunking" : "",
                            url->no_pipelining ? " no-pipelining" : "");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (texts[i] != NULL) {
            len += (size_t)snprintf(out + len, size - len, " %s=%s", names[i], texts[i]);
        }
    }
}

TEST(client_url, says_host_port_user_policy_and_more)
{
    static const struct {
        const char *url, *says;
    } rows[] = {
        {"smtp://localhost", "offered 25 host=localhost"},
        {"SMTP://localhost/", "offered 25 host=localhost"},
        {"smtp://ann:secret@mx.example", "required 587 user=ann password=secret host=mx.example"},
        {"smtp://ann@mx.example", "required 587 user=ann host=mx.example"},
        {"smtp://ann:@mx.example", "required 587 user=ann password= host=mx.example"},
        {"smtp://a%40x:p%3aw%2F%25%C3%a9@h:2525",
         "required 2525 user=a@x password=p:w/%\xC3\xA9 host=h"},
        {"smtp://u:a:b@h", "required 587 user=u password=a:b host=h"},
        {"smtp://127.0.0.1:1025", "offered 1025 host=127.0.0.1"},
        {"smtp://[::1]:1025", "offered 1025 host=[::1]"},
        {"smtp://[2001:db8::1.2.3.4]", "offered 25 host=[2001:db8::1.2.3.4]"},
        {"smtp://lo%63alhost", "offered 25 host=localhost"},
        {"smtps://h", "implicit 465 host=h"},
        {"lmtp://h", "offered 2003 host=lmtp://h"},
        {"LMTP://[::1]:24?tls=never", "never 24 host=lmtp://[::1]"},
        {"lmtp://ann:p@h:24", "required 24 user=ann password=p host=lmtp://h"},
        {"lmtp://unix:/run/a%20b/lmtp", "offered 0 host=lmtp://unix:/run/a b/lmtp"},
        {"lmtp://ann:p@unix:/s?tls=never", "never 0 user=ann password=p host=lmtp://unix:/s"},
        {"smtp://ann:p@unix:/s", "required 0 user=ann password=p host=unix:/s"},
        {"smtps://unix:/s", "implicit 0 host=unix:/s"},
        {"unix:/run/a%20b", "offered 0 host=unix:/run/a b"},
        {"UNIX:here?tls=never", "never 0 host=unix:here"},
        {"smtp://h?chunking=no&pipelining=no", "offered 25 no-chunking no-pipelining host=h"},
        {"smtp://b\xC3\xBC"
         "cher.example",
         "offered 25 host=xn--bcher-kva.example"},
        {"smtp://b%C3%BCcher.example:26", "offered 26 host=xn--bcher-kva.example"},
        {"smtps://u:p@h:1", "implicit 1 user=u password=p host=h"},
        {"smtp://u:p@h?tls=never", "never 587 user=u password=p host=h"},
        {"smtp://u:p@h/?tls=offered", "offered 587 user=u password=p host=h"},
        {"smtp://h?tls=required", "required 25 host=h"},
        {"smtps://h:65535?ca=/tmp/a%20b.pem&name=mx.example&insecure=1&auth=PLAIN&helo=[127.0.0.1]",
         NULL},
        {"smtps://h?ca=/tmp/a%20b.pem&name=mx.example&insecure=1&auth=PLAIN&helo=%5B127.0.0.1%5D",
         "implicit 465 insecure host=h ca=/tmp/a b.pem name=mx.example auth=PLAIN "
         "helo=[127.0.0.1]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_client_url url;
        struct smtp_error error = {0};
        char shown[400] = "";
        if (smtp_client_url_parse(&url, rows[i].url, &error) == SMTP_OK) {
            show(shown, sizeof(shown), &url);
            smtp_client_url_clear(&url);
        }
        if (strcmp(shown, rows[i].says != NULL ? rows[i].says : "") != 0) {
            SMTP_TEST_FAIL("%s: expected \"%s\", came \"%s\" (%s)", rows[i].url, rows[i].says,
                           shown, error.message);
        }
    }
}

static const struct {
    const char *url, *part;
    enum smtp_status status;
} malformed[] = {
    {NULL, "NULL", SMTP_BAD_ARGUMENT},
    {"", "scheme", SMTP_BAD_ARGUMENT},
    {"localhost", "scheme", SMTP_BAD_ARGUMENT},
    {"http://ann:hunter2@h", "scheme", SMTP_BAD_ARGUMENT},
    {"smtp:ann:hunter2@h", "scheme", SMTP_BAD_ARGUMENT},
    {"smtp:/h", "scheme", SMTP_BAD_ARGUMENT},
    {" smtp://h", "scheme", SMTP_BAD_ARGUMENT},
    {"smtp://", "host", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2@", "host", SMTP_BAD_ARGUMENT},
    {"smtp://:hunter2@h", "user", SMTP_BAD_ARGUMENT},
    {"smtp://@h", "user", SMTP_BAD_ARGUMENT},
    {"smtp://ann@x:hunter2@h", "%40", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2 @h", "password", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2%@h", "password", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2%4@h", "password", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2%4g@h", "password", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2\xC3\xA9@h", "password", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2%0d%0aQUIT@h", "password", SMTP_UNSAFE_ARGUMENT},
    {"smtp://ann%00:hunter2@h", "user", SMTP_UNSAFE_ARGUMENT},
    {"smtp://ann:hunter2/x@h", "port", SMTP_BAD_ARGUMENT},
    {"smtp://ann:25/hunter2@h", "%2F", SMTP_BAD_ARGUMENT},
    {"smtp://ann:25?hunter2@h", "KEY=VALUE", SMTP_BAD_ARGUMENT},
    {"smtp://ann:25?hunter2=@h", "key", SMTP_BAD_ARGUMENT},
    {"smtp://ann:25#hunter2@h", "%23", SMTP_BAD_ARGUMENT},
    {"smtp://h:", "port", SMTP_BAD_ARGUMENT},
    {"smtp://h:0", "port", SMTP_BAD_ARGUMENT},
    {"smtp://h:65536", "port", SMTP_BAD_ARGUMENT},
    {"smtp://h:25x", "port", SMTP_BAD_ARGUMENT},
    {"smtp://h:-1", "port", SMTP_BAD_ARGUMENT},
    {"smtp://unix%3A%2Ftmp%2Fs", "host", SMTP_BAD_ARGUMENT},
    {"smtp://h%3A26", "host", SMTP_BAD_ARGUMENT},
    {"smtp://unix:s", "port", SMTP_BAD_ARGUMENT},
    {"unix:", "scheme", SMTP_BAD_ARGUMENT},
    {"unix:?tls=never", "scheme", SMTP_BAD_ARGUMENT},
    {"unix:/a%0ab", "path", SMTP_UNSAFE_ARGUMENT},
    {"lmtp://unix:", "port", SMTP_BAD_ARGUMENT},
    {"lmtp://unix:/", "port", SMTP_BAD_ARGUMENT},
    {"lmtp://unix:/a%0ab", "path", SMTP_UNSAFE_ARGUMENT},
    {"lmtp://unix:/a#b", "fragment", SMTP_BAD_ARGUMENT},
    {"lmtp://h/x", "path", SMTP_BAD_ARGUMENT},
    {"lmtps://h", "scheme", SMTP_BAD_ARGUMENT},
    {"smtp://b\xFC"
     "cher",
     "host", SMTP_BAD_ARGUMENT},
    {"smtp://%CC%88x.example", "host", SMTP_BAD_ARGUMENT},
    {"smtp://ann:hunter2@\xC3\xBC/x", "path", SMTP_BAD_ARGUMENT},
    {"smtp://h?chunking=yes", "chunking", SMTP_BAD_ARGUMENT},
    {"smtp://h?chunking=no&chunking=no", "twice", SMTP_BAD_ARGUMENT},
    {"smtp://h?pipelining=0", "pipelining", SMTP_BAD_ARGUMENT},
    {"smtp://h%0a", "host", SMTP_UNSAFE_ARGUMENT},
    {"smtp://[::1", "host", SMTP_BAD_ARGUMENT},
    {"smtp://[]", "host", SMTP_BAD_ARGUMENT},
    {"smtp://[mx.example]", "host", SMTP_BAD_ARGUMENT},
    {"smtp://[::1]x", "port", SMTP_BAD_ARGUMENT},
    {"smtp://h/x", "path", SMTP_BAD_ARGUMENT},
    {"smtp://h?", "KEY=VALUE", SMTP_BAD_ARGUMENT},
    {"smtp://h?tls", "KEY=VALUE", SMTP_BAD_ARGUMENT},
    {"smtp://h?tls=", "tls", SMTP_BAD_ARGUMENT},
    {"smtp://h?tls=Required", "tls", SMTP_BAD_ARGUMENT},
    {"smtp://h?tls=never&tls=required", "twice", SMTP_BAD_ARGUMENT},
    {"smtps://h?tls=never", "smtps", SMTP_BAD_ARGUMENT},
    {"smtp://h?insecure=0", "insecure", SMTP_BAD_ARGUMENT},
    {"smtp://h?insecure=1&insecure=1", "twice", SMTP_BAD_ARGUMENT},
    {"smtp://h?ca=", "ca", SMTP_BAD_ARGUMENT},
    {"smtp://h?ca=a&ca=b", "twice", SMTP_BAD_ARGUMENT},
    {"smtp://h?name=a%0db", "name", SMTP_UNSAFE_ARGUMENT},
    {"smtp://h?TLS=required", "key", SMTP_BAD_ARGUMENT},
    {"smtp://h?tls=required&", "KEY=VALUE", SMTP_BAD_ARGUMENT},
    {"smtp://h?verify=0", "key", SMTP_BAD_ARGUMENT},
};

TEST(client_url, a_malformed_one_is_refused_with_the_part_that_is_wrong_and_never_shows_a_password)
{
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct smtp_client_url url;
        struct smtp_error error = {0};
        enum smtp_status status = smtp_client_url_parse(&url, malformed[i].url, &error);
        if (status != malformed[i].status || error.status != status ||
            strstr(error.message, malformed[i].part) == NULL ||
            strstr(error.message, "hunter2") != NULL) {
            SMTP_TEST_FAIL("%s: expected %s with \"%s\", came %s with \"%s\"", malformed[i].url,
                           smtp_status_name(malformed[i].status), malformed[i].part,
                           smtp_status_name(status), error.message);
        }
        expect_true(url.host == NULL && url.password == NULL);
    }
}
