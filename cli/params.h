/*
 * Parameters of the SQL from the command line.
 *
 * Plain words are TEXT; --int, --real, --text, --null and --blob-hex say the
 * type of one. With --infer, plain words that are written as numbers are
 * INTEGER or REAL (number_infer(): "03" and "+1" stay text).
 */
#ifndef CLI_PARAMS_H
#define CLI_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include <resqlite.h>

typedef struct params {
    rsq_value *values; /* owned; texts are borrowed from the command line */
    bool *plain;       /* owned; which ones --infer is about */
    size_t count;
    size_t capacity;
    bool infer;
} params;

/* Entries of a command's option table (args.h). */
enum { OPTION_INT = 0x200, OPTION_REAL, OPTION_TEXT, OPTION_NULL, OPTION_BLOB_HEX, OPTION_INFER };
#define PARAM_OPTIONS                                                                        \
    ARG_OPTION("int", 0, true, OPTION_INT), ARG_OPTION("real", 0, true, OPTION_REAL),        \
        ARG_OPTION("text", 0, true, OPTION_TEXT), ARG_OPTION("null", 0, false, OPTION_NULL), \
        ARG_OPTION("blob-hex", 0, true, OPTION_BLOB_HEX), ARG_OPTION("infer", 0, false, OPTION_INFER)

/**
 * Take the option, or the plain word (ARGS_PLAIN), if it is about a parameter.
 * @return STATUS_OK; STATUS_USAGE when the value is wrong, which then has been
 *         reported; -1 when the option is not one of these.
 */
int params_take(params *p, const char *command, int option, const char *value);

/** Once, after the last word: give plain words their types. */
void params_finish(params *p);

void params_fini(params *p);

#endif
