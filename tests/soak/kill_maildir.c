/* kill_maildir.c - see kill_maildir.h.
 * Knows: where in a delivered file the content begins, and that its line ends are LF there. */
#include "tests/soak/kill_maildir.h"

#include "harness/load/stamp.h"
#include "tests/soak/soak.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBERS_MAX ((uint64_t)1 << 20)
#define LINE_OCTETS 72
#define LINES_MAX 600 /* of one message */
#define PATH_SIZE 512

struct kill_book {
    pthread_mutex_t lock; /* of all below */
    uint64_t next;
    uint64_t chance;
    uint64_t compared; /* numbers below it have been looked for */
    uint8_t answers[NUMBERS_MAX];
    uint8_t found[NUMBERS_MAX];
};

struct kill_book *kill_book_new(uint64_t seed)
{
    struct kill_book *book = calloc(1, sizeof *book);
    if (book != NULL) {
        pthread_mutex_init(&book->lock, NULL);
        book->next = book->compared = 1;
        book->chance = seed;
    }
    return book;
}

void kill_book_free(struct kill_book *book)
{
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* ---- sending ---- */

uint64_t kill_book_next(struct kill_book *book, char **octets, size_t *len)
{
    pthread_mutex_lock(&book->lock);
    uint64_t number = book->next < NUMBERS_MAX ? book->next++ : 0;
    uint64_t chance = soak_chance(&book->chance);
    pthread_mutex_unlock(&book->lock);
    size_t body = 2 + LINE_OCTETS * (1 + chance % LINES_MAX);
    *len = SMTP_STAMP_LEN + body;
    *octets = number == 0 ? NULL : malloc(*len);
    if (*octets == NULL) {
        return 0;
    }
    char *at = *octets + SMTP_STAMP_LEN;
    memcpy(at, "\r\n", 2);
    for (size_t i = 2; i < body; i++) {
        size_t column = (i - 2) % LINE_OCTETS;
        at[i] = column == LINE_OCTETS - 2   ? '\r'
                : column == LINE_OCTETS - 1 ? '\n'
                                            : (char)('!' + soak_chance(&chance) % 90);
    }
    smtp_stamp_write(*octets, number, smtp_stamp_sum((struct smtp_span){at, body}));
    return number;
}

void kill_book_answer(struct kill_book *book, uint64_t number, enum kill_answer answer)
{
    pthread_mutex_lock(&book->lock);
    book->answers[number] = (uint8_t)answer;
    pthread_mutex_unlock(&book->lock);
}

/* ---- what is there ---- */

static char *read_file(const char *path, size_t *len)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *octets = NULL;
    if (fd >= 0 && fstat(fd, &about) == 0) {
        *len = (size_t)about.st_size;
        octets = malloc(*len + 1);
    }
    if (octets != NULL && !soak_read(fd, octets, *len)) {
        free(octets);
        octets = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    return octets;
}

/* The number of a whole message; 0: it is none. */
static uint64_t number_of(const char *octets, size_t len)
{
    uint64_t number = 0;
    const char *stamp = memmem(octets, len, "X-Load: ", 8);
    char *content = stamp == NULL ? NULL : malloc(len * 2);
    if (content == NULL) {
        return 0;
    }
    size_t content_len = 0;
    for (const char *at = stamp; at < octets + len; at++) {
        if (*at == '\n') {
            content[content_len++] = '\r';
        }
        content[content_len++] = *at;
    }
    bool whole = smtp_stamp_read((struct smtp_span){content, content_len}, &number);
    free(content);
    return whole ? number : 0;
}

/* Whether that may be there. */
static bool look_at(struct kill_book *book, const char *path)
{
    size_t len = 0;
    char *octets = read_file(path, &len);
    uint64_t number = octets == NULL ? 0 : number_of(octets, len);
    free(octets);
    unlink(path);
    if (number == 0 || number >= book->next) {
        printf("FAIL %s is not a whole message\n", path);
        return false;
    }
    bool may = ++book->found[number] == 1 && book->answers[number] != KILL_NOT_SENT;
    if (!may) {
        printf("FAIL message %" PRIu64 " is there %u times, its answer was %u\n", number,
               book->found[number], book->answers[number]);
    }
    return may;
}

bool kill_book_compare(struct kill_book *book, const char *maildir)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/new", maildir);
    DIR *new = opendir(path);
    bool held = new != NULL;
    for (const struct dirent *entry; new != NULL && (entry = readdir(new)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/new/%s", maildir, entry->d_name);
            held = look_at(book, path) && held;
        }
    }
    if (new != NULL) {
        closedir(new);
    }
    for (; book->compared < book->next; book->compared++) {
        if (book->answers[book->compared] == KILL_ACCEPTED && book->found[book->compared] == 0) {
            printf("FAIL message %" PRIu64 " was answered 250 and is not there\n", book->compared);
            held = false;
        }
    }
    return held;
}

struct kill_sums kill_book_sums(const struct kill_book *book)
{
    struct kill_sums sums = {0};
    for (uint64_t i = 1; i < book->next; i++) {
        sums.answered += book->answers[i] == KILL_ACCEPTED;
        sums.found += book->answers[i] == KILL_ACCEPTED && book->found[i] == 1;
        sums.unknown += book->answers[i] == KILL_UNKNOWN;
        sums.unknown_found += book->answers[i] == KILL_UNKNOWN && book->found[i] == 1;
    }
    return sums;
}

void kill_maildir_remove(const char *maildir, const char *folder, const char *ready)
{
    static const char *const names[] = {"tmp", "new", "cur"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", maildir, names[i]);
        DIR *directory = opendir(path);
        for (const struct dirent *entry;
             directory != NULL && (entry = readdir(directory)) != NULL;) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
        if (directory != NULL) {
            closedir(directory);
        }
        rmdir(path);
    }
    rmdir(maildir);
    unlink(ready);
    rmdir(folder);
}
