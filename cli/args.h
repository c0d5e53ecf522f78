/*
 * The words of a command line, in order.
 *
 * Not getopt: parameters of the SQL are an ordered mix of plain words and
 * options (`5 --null --real 2.5`), and a negative number is a plain word.
 * Options may stand before, between and after other words; `--` ends them.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>

typedef struct arg_option {
    const char *name; /* without the dashes */
    char letter;      /* its one-letter form; 0: none */
    bool has_value;   /* `--name VALUE` or `--name=VALUE` */
    int id;           /* above zero */
} arg_option;

typedef struct args {
    const char *command;       /* for messages; NULL before there is one */
    char **words;              /* borrowed; ends with NULL */
    const arg_option *options; /* borrowed; ends with a NULL name */
    bool plain_only;           /* `--` was seen */
} args;

enum { ARGS_END = 0, ARGS_PLAIN = -1, ARGS_WRONG = -2 };

/** An entry of an option table, as a macro that can be part of a list. */
#define ARG_OPTION(name, letter, has_value, id) \
    {                                           \
        name, letter, has_value, id             \
    }

/* Every command has this one. */
enum { OPTION_HELP = 0x1000 };
#define HELP_OPTION ARG_OPTION("help", 'h', false, OPTION_HELP)

/**
 * Take the next word.
 * @param value  the plain word, or the option's value.
 * @return the option's id, ARGS_PLAIN, ARGS_END, or ARGS_WRONG when it was a
 *         usage error, which then has been reported.
 */
int args_next(args *a, const char **value);

#endif
