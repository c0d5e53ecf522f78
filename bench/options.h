/* The command line of rsq-bench: which command, which cases, what to write where. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

/* Exit codes, as in --help. */
enum { BENCH_EXIT_OK = 0, BENCH_EXIT_MISSED = 1, BENCH_EXIT_USAGE = 2, BENCH_EXIT_INTERRUPTED = 130 };

#define BENCH_WORDS_MAX 32

typedef struct bench_options {
    const char *filter;                 /* NULL: all */
    const char *area;                   /* NULL: all */
    const char *json_path;              /* NULL: none */
    const char *dir;                    /* NULL: the default */
    const char *peer;                   /* once; NULL: not given */
    const char *ops;                    /* once; NULL: 1 */
    const char *repeat;                 /* NULL: the command's own */
    const char *compare_to;             /* run; NULL: nothing */
    const char *results;                /* where labelled results are */
    const char *stored;                 /* goals; NULL: the newest canonical ones */
    bool all, slow;                     /* run, list: see bench_choice */
    bool gate;                          /* a regression is an exit status */
    bool memory;                        /* once: tell what it takes */
    const char *counts;                 /* goals; NULL: none */
    const bench_effort *effort;         /* NULL: the command's own */
    const char *words[BENCH_WORDS_MAX]; /* what follows the command and is no option */
    size_t nwords;
} bench_options;

typedef struct bench_command {
    const char *name;
    int (*run)(const bench_options *o); /* returns the exit status */
    size_t words_min;
    size_t words_max;
    const char *wants; /* what its words are, for an error */
} bench_command;

extern const bench_effort bench_effort_full;
extern const bench_effort bench_effort_quick;

/* Everything behind the command. False: the user is wrong, which was said on standard error. */
bool bench_options_parse(bench_options *o, int argc, char **argv);

/* Are there as many words as the command takes? False: likewise. */
bool bench_options_fit(const bench_options *o, const bench_command *command);

/* A whole number of at least 1 that a user gave. False: likewise. */
bool bench_options_number(const char *text, const char *of_what, unsigned long max, unsigned long *out);

/* `about`: what the user gave; returns BENCH_EXIT_USAGE. */
int bench_usage_error(const char *what, const char *about);

#endif
