/* extensions.c - what an EHLO reply offers (RFC 5321 4.1.1.1, RFC 1870 4, RFC 9422).
 * Knows: EHLO lines, keywords in any case, the old "AUTH=" form.
 * Does not know: what an extension does. */
#include "client/protocol/extensions.h"

#include <string.h>

#define TEXTS_MAX 131072 /* a whole reply (reply_reader.h) and its NULs */

void smtp_client_extensions_init(struct smtp_client_extensions *extensions)
{
    *extensions = (struct smtp_client_extensions){.texts = SMTP_BUFFER(TEXTS_MAX)};
}

void smtp_client_extensions_forget(struct smtp_client_extensions *extensions)
{
    struct smtp_buffer texts = extensions->texts;
    smtp_buffer_clear(&texts, TEXTS_MAX);
    *extensions = (struct smtp_client_extensions){.texts = texts};
}

void smtp_client_extensions_clear(struct smtp_client_extensions *extensions)
{
    smtp_buffer_free(&extensions->texts);
    smtp_client_extensions_init(extensions);
}

/* ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"); its length, 0: none. */
static size_t keyword_length(struct smtp_span line)
{
    size_t len = 0;
    while (len < line.len) {
        unsigned char c = (unsigned char)line.bytes[len];
        if (!smtp_is_letter_or_digit(c) && (c != '-' || len == 0)) {
            break;
        }
        len++;
    }
    return len;
}

/* One EHLO line as keyword and parameters. Old servers write "AUTH=LOGIN PLAIN", and some both
 * forms. */
static bool split_line(struct smtp_span line, struct smtp_span *keyword,
                       struct smtp_span *parameters)
{
    line = smtp_span_trim_end(line);
    size_t len = keyword_length(line);
    *keyword = (struct smtp_span){line.bytes, len};
    bool equals = len < line.len && line.bytes[len] == '=' &&
                  smtp_span_equal_nocase(*keyword, SMTP_SPAN("AUTH"));
    if (len == 0 || (len < line.len && line.bytes[len] != ' ' && !equals)) {
        return false;
    }
    while (len < line.len && (line.bytes[len] == ' ' || (equals && line.bytes[len] == '='))) {
        len++;
    }
    *parameters = (struct smtp_span){line.bytes + len, line.len - len};
    return true;
}

static enum smtp_status add(struct smtp_client_extensions *extensions, struct smtp_span keyword,
                            struct smtp_span parameters)
{
    char *room = smtp_buffer_reserve(&extensions->texts, keyword.len + parameters.len + 2);
    if (room == NULL) {
        return SMTP_NO_MEMORY;
    }
    memcpy(room, keyword.bytes, keyword.len);
    room[keyword.len] = '\0';
    memcpy(room + keyword.len + 1, parameters.bytes, parameters.len);
    room[keyword.len + 1 + parameters.len] = '\0';
    smtp_buffer_added(&extensions->texts, keyword.len + parameters.len + 2);
    extensions->count++;
    return SMTP_OK;
}

static struct smtp_span next_word(struct smtp_span *text)
{
    while (text->len > 0 && *text->bytes == ' ') {
        *text = (struct smtp_span){text->bytes + 1, text->len - 1};
    }
    size_t len = 0;
    while (len < text->len && text->bytes[len] != ' ') {
        len++;
    }
    struct smtp_span word = {text->bytes, len};
    *text = (struct smtp_span){text->bytes + len, text->len - len};
    return word;
}

static bool has_word(struct smtp_span text, struct smtp_span wanted)
{
    for (struct smtp_span word = next_word(&text); word.len > 0; word = next_word(&text)) {
        if (smtp_span_equal_nocase(word, wanted)) {
            return true;
        }
    }
    return false;
}

#define LIMIT_MAX 999999 /* RFC 9422 4 */

/* Some 300 mechanisms; what is beyond is passed over: bounds the work of merging. */
#define AUTH_MAX 6400

/* Adds what `mechanisms` does not have yet. */
static enum smtp_status merge_auth(struct smtp_buffer *mechanisms, struct smtp_span parameters)
{
    enum smtp_status status = SMTP_OK;
    for (struct smtp_span word = next_word(&parameters); word.len > 0 && status == SMTP_OK;
         word = next_word(&parameters)) {
        if (mechanisms->len + 1 + word.len > AUTH_MAX ||
            has_word(smtp_buffer_span(mechanisms), word)) {
            continue;
        }
        if (mechanisms->len > 0) {
            status = smtp_buffer_append(mechanisms, " ", 1);
        }
        if (status == SMTP_OK) {
            status = smtp_buffer_append(mechanisms, word.bytes, word.len);
        }
    }
    return status;
}

/* One of "MAILMAX=100 RCPTMAX=20": a digit from 1 to 9 and at most five more; of one that is said twice
 * the smaller counts. RFC 9422 3.7: what is malformed or unknown is passed over alone. */
static void read_limit(struct smtp_client_extensions *extensions, struct smtp_span word)
{
    struct {
        struct smtp_span name;
        uint64_t *max;
    } known[] = {{SMTP_SPAN("MAILMAX"), &extensions->mail_max},
                 {SMTP_SPAN("RCPTMAX"), &extensions->rcpt_max},
                 {SMTP_SPAN("RCPTDOMAINMAX"), &extensions->rcpt_domain_max}};
    const char *equals = memchr(word.bytes, '=', word.len);
    size_t name_len = equals != NULL ? (size_t)(equals - word.bytes) : word.len;
    struct smtp_span name = {word.bytes, name_len};
    struct smtp_span value = {word.bytes + name_len + 1, word.len - name_len - 1};
    uint64_t max = 0;
    if (equals == NULL || value.len == 0 || *value.bytes == '0' ||
        !smtp_span_to_u64(value, LIMIT_MAX, &max)) {
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        bool smaller = *known[i].max == 0 || max < *known[i].max;
        if (smaller && smtp_span_equal_nocase(name, known[i].name)) {
            *known[i].max = max;
        }
    }
}

static void read_limits(struct smtp_client_extensions *extensions)
{
    const char *limits = smtp_client_extensions_find(extensions, "LIMITS");
    struct smtp_span text = smtp_span_of(limits != NULL ? limits : "");
    for (struct smtp_span word = next_word(&text); word.len > 0; word = next_word(&text)) {
        read_limit(extensions, word);
    }
}

static void remember_known(struct smtp_client_extensions *extensions)
{
    read_limits(extensions);
    extensions->chunking = smtp_client_extensions_find(extensions, "CHUNKING") != NULL;
    extensions->binary_mime = smtp_client_extensions_find(extensions, "BINARYMIME") != NULL;
    extensions->pipelining = smtp_client_extensions_find(extensions, "PIPELINING") != NULL;
    extensions->eight_bit_mime = smtp_client_extensions_find(extensions, "8BITMIME") != NULL;
    const char *size = smtp_client_extensions_find(extensions, "SIZE");
    extensions->size = size != NULL;
    if (size == NULL || !smtp_span_to_u64(smtp_span_of(size), UINT64_MAX, &extensions->size_max)) {
        extensions->size_max = 0;
    }
}

static enum smtp_status read_lines(struct smtp_client_extensions *extensions, const char *text,
                                   struct smtp_buffer *auth, bool *auth_offered)
{
    enum smtp_status status = SMTP_OK;
    const char *at = strchr(text, '\n');
    while (at != NULL && status == SMTP_OK && extensions->count < SMTP_CLIENT_EXTENSIONS_MAX) {
        at++;
        const char *end = strchr(at, '\n');
        struct smtp_span line = {at, end != NULL ? (size_t)(end - at) : strlen(at)};
        struct smtp_span keyword, parameters;
        if (split_line(line, &keyword, &parameters)) {
            if (smtp_span_equal_nocase(keyword, SMTP_SPAN("AUTH"))) {
                *auth_offered = true;
                status = merge_auth(auth, parameters);
            } else {
                status = add(extensions, keyword, parameters);
            }
        }
        at = end;
    }
    return status;
}

enum smtp_status smtp_client_extensions_read(struct smtp_client_extensions *extensions,
                                             const char *text)
{
    smtp_client_extensions_forget(extensions);
    struct smtp_buffer auth = SMTP_BUFFER(AUTH_MAX);
    bool auth_offered = false;
    enum smtp_status status = read_lines(extensions, text, &auth, &auth_offered);
    if (status == SMTP_OK && auth_offered) {
        status = add(extensions, SMTP_SPAN("AUTH"), smtp_buffer_span(&auth));
    }
    smtp_buffer_free(&auth);
    if (status != SMTP_OK) {
        smtp_client_extensions_forget(extensions);
        return SMTP_NO_MEMORY;
    }
    remember_known(extensions);
    return SMTP_OK;
}

const char *smtp_client_extensions_find(const struct smtp_client_extensions *extensions,
                                        const char *keyword)
{
    struct smtp_span wanted = smtp_span_of(keyword);
    const char *at = smtp_buffer_span(&extensions->texts).bytes;
    for (size_t i = 0; i < extensions->count; i++) {
        struct smtp_span name = smtp_span_of(at);
        const char *parameters = at + name.len + 1;
        if (smtp_span_equal_nocase(name, wanted)) {
            return parameters;
        }
        at = parameters + strlen(parameters) + 1;
    }
    return NULL;
}

bool smtp_client_words_have(const char *words, const char *word)
{
    return has_word(smtp_span_of(words), smtp_span_of(word));
}
