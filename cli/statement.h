/*
 * What query, exec and watch have in common on the command line:
 * DB SQL [parameters], with options about parameters and about the format.
 */
#ifndef CLI_STATEMENT_H
#define CLI_STATEMENT_H

#include <stdbool.h>

#include "args.h"
#include "format.h"
#include "params.h"

typedef struct statement {
    const char *database; /* borrowed, like `sql`: words of the command line */
    const char *sql;
    params params;
    row_format format;
    bool help;
} statement;

/** Take one word; returns as params_take(). */
int statement_take(statement *s, const char *command, int option, const char *value);

/** After the last word: is everything there? Returns STATUS_OK or, reported, STATUS_USAGE. */
int statement_finish(statement *s, const char *command);

/**
 * Take all words of a command that has no other options. Returns STATUS_OK,
 * with `help` set if that was asked for and nothing else is to be done, or,
 * reported, STATUS_USAGE.
 */
int statement_parse(statement *s, const char *command, char **words);

void statement_fini(statement *s);

#endif
