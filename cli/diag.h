/*
 * What a command says when it fails: one line on stderr, and its exit status.
 */
#ifndef CLI_DIAG_H
#define CLI_DIAG_H

#include <resqlite.h>

#include "strbuf.h"

/** Exit statuses; also in `resqlite --help` and the man page. */
enum {
    STATUS_OK = 0,
    STATUS_SQL = 1,    /* the SQL or the data is wrong, or was refused */
    STATUS_USAGE = 2,  /* the command line is wrong */
    STATUS_OPEN = 3,   /* the database, or the file to import, cannot be opened */
    STATUS_SYSTEM = 4, /* input, output, disk or memory failed */
};

/** "resqlite: …" as one line. Control characters in the message are made visible. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void diag_error(const char *format, ...);

/** A wrong command line: "resqlite: … (see resqlite COMMAND --help)". Returns STATUS_USAGE. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int diag_usage(const char *command, const char *format, ...);

/** Append "SUBJECT: message (at offset N of the SQL)", in the words of the shell. */
void diag_message(strbuf *out, const char *subject, const rsq_error *err);

/** "resqlite: " and the same. Returns the exit status that fits. */
int diag_sql(const char *subject, const rsq_error *err);

/** The exit status for a failed call on an open database. */
int diag_status(const rsq_error *err);

#endif
