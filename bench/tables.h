/* What the commands that print tables of their own have in common: where databases are, which lines are
 * wanted. */
#ifndef BENCH_TABLES_H
#define BENCH_TABLES_H

#include <stdbool.h>
#include <stdio.h>

#include "options.h"
#include "place.h"

typedef struct bench_tables {
    const bench_options *options; /* borrowed */
    unsigned wanted;              /* how many names matched so far */
    bool quick;
    FILE *json; /* owned; NULL: none */
    bench_place place;
} bench_tables;

/* Open the output, make the place, print the machine. False: said why; nothing is left behind. */
bool bench_tables_begin(bench_tables *t, const bench_options *options);

/* Is the line or the case `name` wanted? */
bool bench_tables_want(bench_tables *t, const char *name);

/* Remove the place, close the output. The exit status: `status` if all went well and a name was wanted. */
int bench_tables_end(bench_tables *t, int status);

/* The commands; see docs/benchmarks.md. */
int bench_ladder(const bench_options *o);
int bench_seeds(const bench_options *o);

#endif
