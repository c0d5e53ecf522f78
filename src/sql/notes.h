/*
 * What the authorizer says of a query while it is compiled: the columns it
 * reads by name, and the functions whose answer may change without a commit.
 * Collected by guard.c, used by reads.c. Thread: the holder of the connection.
 */
#ifndef RSQ_SQL_NOTES_H
#define RSQ_SQL_NOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/names.h"

typedef struct rsq_note {
    char *schema, *table, *column; /* owned; schema NULL: not told */
} rsq_note;

typedef struct rsq_notes {
    rsq_note *reads; /* owned */
    size_t count;
    rsq_names sets;                        /* columns that an UPDATE sets, of whatever table */
    char volatile_by[64];                  /* random() or the like; empty: none */
    const struct rsq_functions *functions; /* borrowed; the connection's */
    bool pragma;
    bool failed; /* memory ran out; `sets` says so by itself */
} rsq_notes;

void rsq_notes_add_read(rsq_notes *n, const char *schema, const char *table, const char *column);
void rsq_notes_add_function(rsq_notes *n, const char *name);
void rsq_notes_fini(rsq_notes *n);

#endif
