/*
 * From a file to rows: what the readers (CSV, JSON) and those who take their
 * rows (inference, loader) know of each other.
 *
 * The readers push, because the parsers below them do. A reader learns column
 * names as they appear, and hands out each row as fields that still say what
 * the file said; types are made of them later (import_types.h).
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "columns.h"
#include "input.h"
#include "progress.h"

typedef enum field_kind {
    FIELD_NULL,   /* JSON null */
    FIELD_EMPTY,  /* an empty CSV field without quotes */
    FIELD_TEXT,   /* a CSV field, or a JSON string without its escapes */
    FIELD_NUMBER, /* a JSON number, as written */
    FIELD_TRUE,
    FIELD_FALSE,
    FIELD_JSON /* a JSON object or array, as written */
} field_kind;

typedef struct import_field {
    field_kind kind;
    size_t column;
    const char *text; /* in the reader's arena; set for all kinds, as written where no escapes are involved */
    size_t len;
    uint64_t offset; /* where it begins; UINT64_MAX: import_field_offset() has to find out */
} import_field;

/** A text longer than this is refused, as SQLite would. */
#define IMPORT_TEXT_MAX ((size_t)1000000000)

typedef struct import_row {
    const import_field *fields; /* borrowed until the next row */
    size_t count;
    uint64_t offset; /* where it begins */
} import_row;

/** Why an import ended. */
typedef struct import_failure {
    bool happened;
    int status;        /* STATUS_… */
    bool in_database;  /* the message is about the database, not the file */
    bool placed;       /* `place` is known */
    input_place place; /* in the file */
    char message[600];
} import_failure;

typedef struct reader reader;
struct reader {
    input *in;            /* borrowed, as all pointers here */
    column_list *columns; /* names known so far; the reader adds to them */
    arena *texts;         /* where texts of fields go; cleared by whoever takes the rows */
    progress *progress;
    import_failure *failure;
    uint64_t rows; /* handed out */

    /** A name appears for the first time, at this offset. False: failed, the failure is set. */
    bool (*on_column)(void *ctx, reader *r, size_t column, uint64_t offset);
    /** A row, complete. False: failed, the failure is set. */
    bool (*on_row)(void *ctx, reader *r, const import_row *row);
    void *ctx;

    /** Set by the reader for the time of on_row: finds where a field begins. */
    uint64_t (*find_field)(const reader *r, const import_row *row, size_t index);
};

/** Read all rows. False: failed, the failure is set. */
bool import_read_csv(reader *r);

/** `lines`: objects one after the other (NDJSON); else one array of objects. */
bool import_read_json(reader *r, bool lines);

/** Where a field of the current row begins. */
uint64_t import_field_offset(const reader *r, const import_row *row, size_t index);

/**
 * The index of a name that stands at `offset`, added if it is new.
 * False: the name cannot be one, or was refused; the failure is set.
 */
bool import_column(reader *r, const char *name, size_t len, uint64_t offset, size_t guess, size_t *index);

/** Set the failure, at a place of the file, unless one is set already. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
bool import_fail_at(reader *r, uint64_t offset, const char *format, ...);

/** Set the failure to a failed read if there was one. Returns false if so. */
bool import_check_input(reader *r);

#endif
