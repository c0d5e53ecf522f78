/*
 * Why a live query is run again: the rules by which commits concerned it, and
 * the tables that they changed. Collected while the query waits and runs, taken
 * along by the run, and merged when an answer takes the place of one that was
 * not dispatched yet.
 *
 * The tables are a set that is shared: a commit that wakes ten thousand queries
 * through one table gives all of them the set that the index keeps for it, and
 * nothing is allocated. A set is made only when tables of several are merged.
 */
#ifndef RSQ_STREAM_REASON_H
#define RSQ_STREAM_REASON_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "resqlite.h"

/* Immutable; any thread. */
typedef struct rsq_table_set {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    size_t count;
    const char *names[]; /* "schema.table"; the texts lie behind them */
} rsq_table_set;

/* More, and RSQ_WHY_OTHER stands for the rest. */
#define RSQ_TABLE_SET_MAX 64

/* The first of the names, RSQ_TABLE_SET_MAX at most. NULL: no memory. */
rsq_table_set *rsq_table_set_new(const char *const *names, size_t count);
/* The same of a set of names; RSQ_WHY_OTHER is added to the rules if not all of them are in it. */
rsq_table_set *rsq_table_set_of(const rsq_names *names, uint32_t *rules);
void rsq_table_set_unref(rsq_table_set *set); /* NULL is a no-op */

/* All-zero: there is none. Thread: under the mutex of the registry of live queries, or who has it alone. */
typedef struct rsq_reason {
    uint32_t rules;        /* RSQ_WHY_… */
    rsq_table_set *tables; /* shared reference; NULL: none is known */
} rsq_reason;

/* One more reason. `tables`: borrowed, NULL: none. Without memory RSQ_WHY_OTHER stands for the tables. */
void rsq_reason_add(rsq_reason *r, uint32_t rules, rsq_table_set *tables);

void rsq_reason_clear(rsq_reason *r);

#endif
