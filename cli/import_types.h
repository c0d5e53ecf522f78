/*
 * The types of the columns that are imported, and values of those types.
 *
 * A column's type is named by the user (--types), found from the whole file
 * (--infer), or else what the file says of each value: in CSV all is TEXT, in
 * JSON each value has its own type and the column has none.
 *
 * --infer: a column is INTEGER or REAL only if every value of it is written as
 * a number (number.h: no leading zero, no plus), or is true or false. An empty
 * CSV field without quotes, a JSON null, and a missing key are no values. A
 * number that would lose digits, an integer beyond 64 bits or beyond 2^53 in a
 * column with fractions, makes the column TEXT, like any other text.
 */
#ifndef CLI_IMPORT_TYPES_H
#define CLI_IMPORT_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include <resqlite.h>

#include "import.h"

typedef enum column_type {
    TYPE_ANY, /* as the file says; the column is declared without a type */
    TYPE_INTEGER,
    TYPE_REAL,
    TYPE_TEXT,
} column_type;

/** One `name:type` of --types. */
typedef struct named_type {
    char *name; /* owned */
    column_type type;
    bool used;
} named_type;

typedef struct import_types {
    named_type *named; /* owned; what the user said */
    size_t named_count;
    column_type fallback; /* of columns that neither the user nor inference knows */
    bool empty_is_null;   /* an empty CSV field without quotes is NULL in TEXT columns too */

    struct typed_column *columns; /* owned; by index */
    size_t count, capacity;
} import_types;

/** Take a --types list. Returns NULL, or what is wrong with it, to be freed. */
char *import_types_parse(import_types *t, const char *list);

/** A column, the next by index, has this name. */
void import_types_add(import_types *t, const char *name);

/** Look at a row, while inferring. */
void import_types_see(import_types *t, const import_row *row);

/** Every row was seen: decide. */
void import_types_decide(import_types *t);

/** The name of a --types entry that no column has; NULL if all were used. */
const char *import_types_unused(const import_types *t);

/** The type of a column in CREATE TABLE, with a space before it; "" for none. */
const char *import_types_declared(const import_types *t, size_t column);

/** The value of a field. Its text is borrowed. False: it has none of its column's type. */
bool import_types_value(const import_types *t, const import_field *f, rsq_value *v);

/** "an integer", "a number": what import_types_value() expected. */
const char *import_types_expected(const import_types *t, size_t column);

void import_types_fini(import_types *t);

#endif
