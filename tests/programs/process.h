/* process.h - running the built programs as processes: to their end with all their output, or in
 * the background with their output read line by line. Knows no SMTP. */
#ifndef SMTP_TESTS_PROGRAMS_PROCESS_H
#define SMTP_TESTS_PROGRAMS_PROCESS_H

#include <sys/types.h>

/** A process that ended. */
struct ended {
    int exit_status; /* 128 + the signal when one killed it */
    char *out, *err; /* all it wrote; owned */
    long peak_kib;   /* the most memory that it, or what it started, had at once */
};

/** Runs argv (ended by NULL) to its end, standard input empty. */
struct ended run_to_end(const char *const argv[]);
/** The same with a short text through a pipe as standard input. */
struct ended run_with_input(const char *const argv[], const char *input);
void ended_clear(struct ended *ended);
/** The last line of a text, in place: its line end is cut off. */
const char *last_line(char *text);

/** A process that runs: what it writes to standard output is read from `out`. */
struct background {
    pid_t pid;
    void *out; /* FILE * */
};

struct background start_process(const char *const argv[]);
/** Its next line, without the line end; valid until the next call. NULL at the end. */
const char *next_line(struct background *background, char *line, int capacity);
/** Sends the signal (0: none), waits, and tells the exit status as above. */
int end_process(struct background *background, int signal_number);

#endif
