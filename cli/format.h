/*
 * The format rows are printed in, and its options on the command line.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdbool.h>

#include <resqlite.h>

typedef enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV } format;

typedef struct row_format {
    format format;
    bool no_header; /* table and CSV without the line of names, table without the count of rows */
} row_format;

/* Entries of a command's option table (args.h). */
enum { OPTION_JSON = 0x100, OPTION_NDJSON, OPTION_CSV, OPTION_NO_HEADER };
#define FORMAT_OPTIONS                                                                        \
    ARG_OPTION("json", 0, false, OPTION_JSON), ARG_OPTION("ndjson", 0, false, OPTION_NDJSON), \
        ARG_OPTION("csv", 0, false, OPTION_CSV), ARG_OPTION("no-header", 0, false, OPTION_NO_HEADER)

/** Take the option if it is one of these; false if it is not. The last of several formats counts. */
bool format_option(row_format *f, int option);

/** Print the rows of a result of at least one column. */
void format_print(const row_format *f, const rsq_result *r);

#endif
