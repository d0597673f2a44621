/* program.h - a real program run beside the test: started, fed, listened to, ended in bounded time.
 * Knows no SMTP. A failure ends the test with what the program said. */
#ifndef SMTP_TESTS_PEERS_PROGRAM_H
#define SMTP_TESTS_PEERS_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** No program outlives this, whatever becomes of the test: it runs under timeout(1). */
#define PROGRAM_LIFE_S 30

/** A command line, put together word by word. */
#define MOST_ARGUMENTS 40
struct arguments {
    const char *argv[MOST_ARGUMENTS]; /* NULL behind the last */
    size_t count;
    char text[4096]; /* what they are kept in */
    size_t len;
};
/** Adds one word. */
void argument(struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Adds these words, up to a NULL; borrowed. */
void arguments_add(struct arguments *arguments, const char *const *words);

struct program {
    const char *name;
    pid_t pid;
    int input;  /* write end of its standard input; -1: it reads a file */
    int output; /* read end of its standard output and error */
    char *said; /* all that was read of it so far; a NUL octet follows */
    size_t said_len;
};

/** Starts argv (NULL-terminated; argv[0] is looked up in PATH, and Postfix's libraries are found).
 *  Its standard input is a pipe that stays open until program_stop. */
void program_start(struct program *program, const char *const *argv);
/** Starts argv with these octets as its standard input. */
void program_start_with(struct program *program, const char *const *argv, const void *input,
                        size_t len);

/** Reads until it has said the words, counted from offset `from`: where they begin, or -1 when it
 *  ended or `timeout_ms` passed first. */
ssize_t program_says(struct program *program, size_t from, const char *words, int timeout_ms);
/** Writes these words to its standard input. */
void program_tell(struct program *program, const char *words);
/** Ends its standard input. */
void program_end_input(struct program *program);
/** Waits for its end by itself; its exit status. Its words stay readable until program_free. */
int program_wait(struct program *program);
/** Ends its input, then asks it to end; waits until it has. */
void program_stop(struct program *program);
void program_free(struct program *program);

/** A port of 127.0.0.1 that was free a moment ago, for programs that cannot pick one. */
uint16_t free_port(void);

/** An empty directory for this test under /tmp that anybody may write to; the caller removes it. */
char *make_directory(void);
void remove_directory(char *path);

/** Puts a text into a file of that directory, for its owner alone; the path, freed by the caller. */
char *write_file(const char *directory, const char *name, const char *text);
struct smtp_identity;
/** The same for a key and its certificate with the chain, as PEM. */
char *write_certificate(const char *directory, const char *name,
                        const struct smtp_identity *identity);
/** The octets of a file, freed by the caller; fails the test when it cannot be read. */
char *read_file(const char *path, size_t *len);

#endif
