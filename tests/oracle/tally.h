/* How often each thing happened. What never happened was not tested. */
#ifndef ORACLE_TALLY_H
#define ORACLE_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct tally {
    uint64_t episodes, commits, statements, refused, streams;
    uint64_t checks, reordered,
        chosen;              /* comparisons; rows in another order; other rows, with another plan */
    uint64_t failing, empty; /* comparisons of queries that fail, or give no row */
    uint64_t results, errors, woken, runs, suppressed, replaced;

    /* Seen in a plain database that the same statements ran in. */
    uint64_t triggers, cascades, victims, key_changes, truncates, fts, generated;
    uint64_t undone, schema_changes, foreign, attached;

    uint64_t met_runs, twins; /* commits while a query was at the gate; comparisons within a group */
    uint64_t differences, moves, grouped,
        left_out; /* events; set_params; results of groups; commits skipped by origin */
    uint64_t by_column, by_value, by_key; /* commits that the levels spared a stream */
} tally;

void tally_print(const tally *t, FILE *out);

/* The name of something that never happened; NULL: all did. */
const char *tally_missing(const tally *t);

#endif
