/* send_sender.c - see send_sender.h. */
#include "harness/cli/send_sender.h"

#include "harness/mime.h"

#include <gmime/gmime.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static const char *user_name(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet */
    const struct passwd *entry = getpwuid(getuid());
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    const char *name = entry != NULL ? entry->pw_name : getenv("LOGNAME");
    return name != NULL && name[0] != '\0' ? name : "nobody";
}

/** A host name may hold what no domain may. */
static void read_host_name(char *name, size_t size)
{
    if (gethostname(name, size) != 0) {
        name[0] = '\0';
    }
    name[size - 1] = '\0';
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    if (name[0] == '\0' || name[strspn(name, letters)] != '\0') {
        snprintf(name, size, "localhost");
    }
}

static char *at_this_host(const char *local_part)
{
    char host[256], *address = NULL;
    read_host_name(host, sizeof host);
    return asprintf(&address, "%s@%s", local_part, host) >= 0 ? address : NULL;
}

char *smtp_send_sender(void)
{
    return at_this_host(user_name());
}

char *smtp_send_qualify(const char *address)
{
    bool whole = strchr(address, '@') != NULL || strcasecmp(address, "postmaster") == 0;
    return whole ? strdup(address) : at_this_host(address);
}

static void print_date(FILE *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm at;
    gmtime_r(&now, &at);
    fprintf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[at.tm_wday], at.tm_mday,
            months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

static void print_message_id(FILE *out, const char *address)
{
    const char *at = strrchr(address, '@');
    uint64_t number[2];
    if (getrandom(number, sizeof number, 0) != sizeof number) {
        number[0] = (uint64_t)time(NULL);
        number[1] = (uint64_t)getpid();
    }
    fprintf(out, "Message-ID: <%016" PRIx64 "%016" PRIx64 "@%s>\r\n", number[0], number[1],
            at != NULL ? at + 1 : "localhost");
}

static void print_from(FILE *out, const char *full_name, const char *address)
{
    smtp_harness_mime_enter();
    char *phrase =
        full_name != NULL ? g_mime_utils_header_encode_phrase(NULL, full_name, "utf-8") : NULL;
    smtp_harness_mime_leave();
    fprintf(out, phrase != NULL ? "From: %s <%s>\r\n" : "From: %s%s\r\n",
            phrase != NULL ? phrase : "", address);
    g_free(phrase);
}

char *smtp_send_missing_fields(bool from, bool date, bool message_id, const char *full_name,
                               const char *address)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    if (from) {
        print_from(out, full_name, address);
    }
    if (date) {
        print_date(out);
    }
    if (message_id) {
        print_message_id(out, address);
    }
    if (fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}
