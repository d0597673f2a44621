/* soak.h - what the programs of a soak share: what this process holds by now, chance from a seed, and a process of its own for
 * the other ends, so that what is measured here is the server's alone. Knows no SMTP. */
#ifndef SMTP_TESTS_SOAK_SOAK_H
#define SMTP_TESTS_SOAK_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What a process holds. */
struct soak_holding {
    unsigned descriptors;
    unsigned threads;
    size_t heap_octets;     /* glibc's account, all arenas */
    size_t resident_octets; /* the kernel's */
};
struct soak_holding soak_holding(void);
/** Whether it holds no descriptor and no thread more than then (a thread that was joined may be listed for a moment: it
 *  is waited for), and at most so many octets of heap more. Says what it holds too much. */
bool soak_holds_no_more(const char *what, const struct soak_holding *then,
                        size_t heap_slack_octets);

/** As many descriptors as the system allows; how many that is. */
size_t soak_allow_descriptors(void);
/** Waits so long at most for nothing: something that happens meanwhile is looked at each time. */
void soak_tick(unsigned ms);
/** A number of the command line, or the default where it has none; exits (2) where it is no number. */
uint64_t soak_argument(int argc, char **argv, int i, uint64_t otherwise);
/** The next number of a sequence (splitmix64). */
uint64_t soak_chance(uint64_t *state);

/** A process that does what it is told, through pipes; it ends with this one. */
struct soak_child {
    pid_t pid;
    int orders;  /* written here */
    int answers; /* read here */
};
/** Before there are threads. `obey` has the other ends; its process ends when it returns. */
bool soak_child_start(struct soak_child *child, void (*obey)(int orders, int answers));
bool soak_child_order(const struct soak_child *child, const void *order, size_t len);
/** Whether there is an answer, or the child's end, within ms. */
bool soak_child_waits(const struct soak_child *child, unsigned ms);
/** The answer, waited for at most ms; false: none came. */
bool soak_child_answer(const struct soak_child *child, void *answer, size_t len, unsigned ms);
void soak_child_end(struct soak_child *child);
/** Whole or not at all, on the child's side. */
bool soak_read(int fd, void *octets, size_t len);
bool soak_write(int fd, const void *octets, size_t len);

#endif
