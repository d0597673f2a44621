/* url_fuzz.c - the URL that says where to send: taken apart without a crash, and nothing in it that a connection could not
 * use. */
#include "client/url.h"
#include "common/bytes.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void check_text(const char *text)
{
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++) {
        FUZZ_HOLDS(!smtp_is_control((unsigned char)text[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct smtp_client_url url;
    struct smtp_error error = {0};
    char *text = fuzz_text(fuzz_rest(&input));
    enum smtp_status status = smtp_client_url_parse(&url, text, &error);
    FUZZ_HOLDS((status == SMTP_OK) == (error.message[0] == '\0'));
    if (status == SMTP_OK) {
        const char *const texts[] = {url.user,        url.password,  url.host,     url.ca_file,
                                     url.verify_name, url.mechanism, url.helo_name};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            check_text(texts[i]);
        }
        FUZZ_HOLDS(url.host != NULL && url.host[0] != '\0');
        FUZZ_HOLDS(!(url.implicit_tls && url.lmtp));
        struct smtp_client_options options = smtp_client_url_options(&url, NULL);
        FUZZ_HOLDS(!url.no_pipelining || !options.pipelining);
        FUZZ_HOLDS(!url.no_chunking || !options.chunking);
        struct smtp_client_credentials credentials = smtp_client_url_credentials(&url);
        FUZZ_HOLDS(credentials.identity == url.user && credentials.password == url.password);
        smtp_client_url_clear(&url);
    }
    free(text);
    return 0;
}
