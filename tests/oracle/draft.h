/* A query in the making, for the generators of its shapes. */
#ifndef ORACLE_DRAFT_H
#define ORACLE_DRAFT_H

#include "schema.h"

typedef struct draft {
    generator *g;
    sqlite3_str *s;
    query q;
} draft;

#define PUT(d, ...) sqlite3_str_appendf((d)->s, __VA_ARGS__)

/* As a parameter or written out. */
void put_value(draft *d, rsq_value v, value_kind kind);

/* keyed.c */
void keyed_rows(draft *d);
void keyed_counts(draft *d);
void keyed_pairs(draft *d);
void keyed_joins(draft *d);
void keyed_subqueries(draft *d);

#endif
