/* A random schema, and what the generators of queries and commits know of it. */
#ifndef ORACLE_SCHEMA_H
#define ORACLE_SCHEMA_H

#include <sqlite3.h>

#include "plan.h"
#include "random.h"

typedef enum table_kind {
    TABLE_ROWID,   /* id INTEGER PRIMARY KEY */
    TABLE_BARE,    /* no key but the row id */
    TABLE_TEXTKEY, /* WITHOUT ROWID, k TEXT */
    TABLE_PAIR,    /* WITHOUT ROWID, (x, y) */
    TABLE_CHILD,   /* refers to the first table */
    TABLE_LOG,     /* triggers write to it */
    TABLE_FTS,
    TABLE_FTS_EXTERNAL, /* of the first table's texts */
    TABLE_RTREE
} table_kind;

/* What a column holds. */
typedef enum value_kind {
    VALUE_KEY,
    VALUE_INT,
    VALUE_TEXT,
    VALUE_REAL,
    VALUE_DOC,
    VALUE_UNIQUE,
    VALUE_PARENT,
    VALUE_WORDS,
    VALUE_GENERATED
} value_kind;

#define COLUMNS_MAX 10
#define TABLES_MAX 11
#define VIEWS_MAX 3
#define OBJECTS_MAX 48

typedef struct column {
    const char *name;
    value_kind values;
} column;

typedef struct table {
    const char *name;
    table_kind kind;
    column columns[COLUMNS_MAX];
    size_t ncolumns;
    const char *key; /* what orders its rows totally, and tells them apart */
    bool text_key;
    const char *base; /* its name without the schema */
    bool attached;
} table;

/* What can be made and dropped. */
typedef struct object {
    const char *type; /* TABLE, INDEX, VIEW, TRIGGER */
    char name[16];
    char *create; /* owned */
} object;

typedef struct schema {
    table tables[TABLES_MAX];
    size_t ntables;
    const char *views[VIEWS_MAX];
    size_t nviews;
    object objects[OBJECTS_MAX];
    size_t nobjects;
} schema;

#define REPAIRS_MAX 64

typedef struct generator {
    random_state random;
    schema schema;
    char *
        repairs[REPAIRS_MAX]; /* owned: statements that put right what was dropped or renamed, oldest first */
    size_t nrepairs;
    plan *plan; /* borrowed */
} generator;

/* Make a schema, and add the statements that create and fill it. */
void schema_generate(generator *g);
void schema_fini(generator *g);

/* commits.c: add one statement that fills `t` with a few rows. */
void commits_fill(generator *g, const table *t);
void commits_generate(generator *g);

/* queries.c: one more query; its number. */
size_t queries_generate(generator *g);

/* plan.c: a query, and the opening of its stream; of one in a group sometimes a second one. */
void plan_add_stream(generator *g);

/* Pick. */
const table *pick_table(generator *g);          /* any */
const table *pick_ordinary_table(generator *g); /* no virtual one */
const column *pick_column(generator *g, const table *t);
const column *find_column(const table *t, value_kind values); /* NULL: none */
const char *pick_text(generator *g, const char *const *texts, size_t n);

#define PICK(g, ...)                                   \
    pick_text((g), (const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A value of that kind, from a domain so small that values meet; texts are static. */
rsq_value pick_value(generator *g, value_kind values);
void append_value(sqlite3_str *s, rsq_value v);

#endif
