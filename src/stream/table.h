/* The table of live queries: found by their keys in constant time, however many are open. */
#ifndef RSQ_STREAM_TABLE_H
#define RSQ_STREAM_TABLE_H

#include "stream/live.h"

/* All-zero is the empty table. The live queries in it are borrowed. Thread: under the registry's mutex. */
typedef struct rsq_live_table {
    rsq_live **buckets; /* owned; a power of two of them; NULL until the first is added */
    size_t size;
    size_t count;
} rsq_live_table;

/* NULL: there is none. */
rsq_live *rsq_live_table_find(const rsq_live_table *t, const rsq_live_key *key, uint64_t hash);

/* False: no memory for the first buckets. */
bool rsq_live_table_add(rsq_live_table *t, rsq_live *live);

/* It is in the table. */
void rsq_live_table_remove(rsq_live_table *t, rsq_live *live);

void rsq_live_table_fini(rsq_live_table *t);

#endif
