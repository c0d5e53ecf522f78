/*
 * What the index of live queries is made of, for the files that keep it: index_table.c
 * (tables, and what of them is watched), index.c (queries that come and go) and
 * index_match.c (commits). Nobody else includes it. Under the mutex of the registry.
 */
#ifndef RSQ_STREAM_INDEX_PARTS_H
#define RSQ_STREAM_INDEX_PARTS_H

#include "sql/key.h"
#include "stream/index.h"

/* An interval, and room for what its ends were made of. */
typedef struct rsq_index_range {
    rsq_interval interval;
    rsq_index_node *node;
    char low_room[RSQ_OPERAND_ROOM], high_room[RSQ_OPERAND_ROOM];
} rsq_index_range;

/* Nodes of a key with one hash of the columns that are equal. */
typedef struct rsq_index_bucket {
    struct rsq_index_bucket *next;
    uint64_t hash;
    rsq_index_node *first; /* those without an interval */
    rsq_intervals ranges;
} rsq_index_bucket;

/* A key by which rows of a table are reached. */
typedef struct rsq_index_key {
    rsq_key_spec spec;          /* owned copy */
    rsq_index_bucket **buckets; /* owned */
    size_t nbuckets, count;
} rsq_index_key;

/* Queries that depend on the same columns of a table. */
typedef struct rsq_index_group {
    struct rsq_index_group *next;
    uint64_t mask;
    rsq_index_node *first;
} rsq_index_group;

/* A query and a table that it reads, or one key of it. */
struct rsq_index_node {
    rsq_index_entry *entry;
    rsq_index_table *table;
    uint64_t since;                /* number of the first watch that looks at all that it needs */
    uint64_t mask;                 /* columns */
    rsq_index_node *newer, *older; /* of the table, by `since` */
    rsq_index_node *prev, *next;   /* of its group or bucket */
    rsq_index_group *group;        /* NULL: it depends on a key */
    rsq_index_key *key;            /* NULL too: it reaches nothing */
    rsq_index_bucket *bucket;
    rsq_index_range *range;        /* owned; NULL: the key is equal */
    bool is_first;                 /* of its query's nodes for this table */
    uint64_t touched_at, equal_at; /* the table's when it was added */
};

struct rsq_index_table {
    rsq_index_table *next; /* in its bucket */
    rsq_table_set *set;    /* shared reference: of this table alone, for reasons */
    const char *name;      /* in it */
    uint64_t hash;
    uint32_t ncolumns;
    bool rowid;
    bool whole;        /* somebody reads whole rows */
    uint32_t *primary; /* owned */
    size_t nprimary;
    rsq_watch_column *columns; /* owned; by column */
    size_t ncolumns_watched;
    rsq_index_key **keys; /* owned, each too */
    size_t nkeys;
    rsq_index_group *groups; /* owned */
    rsq_index_node *newest;
    uint64_t born, epoch;    /* of the first watch that has it, and of the one that last got more of it */
    uint64_t touched, equal; /* commits that changed it; of those, all values stayed */
};

/* The nodes with that hash; NULL: there are none. */
static inline rsq_index_bucket *rsq_index_find_bucket(const rsq_index_key *k, uint64_t hash)
{
    rsq_index_bucket *b = k->nbuckets ? k->buckets[hash & (k->nbuckets - 1)] : NULL;

    while (b && b->hash != hash)
        b = b->next;
    return b;
}

/* --- index_table.c --- */

/* NULL: nobody reads it. */
rsq_index_table *rsq_index_find_table(const rsq_index *ix, const char *name, uint64_t hash);

/* NULL: no memory. */
rsq_index_table *rsq_index_make_table(rsq_index *ix, const rsq_table_dep *dep, uint64_t hash);

/* Does the table look as it did when it was made? A schema change forgets all tables, so it should. */
bool rsq_index_table_is_alike(const rsq_index_table *t, const rsq_table_dep *dep);

/* Forget tables that nobody reads. */
void rsq_index_drop_idle(rsq_index *ix);

/*
 * Put up what is watched now. Without memory nothing is watched, and each change
 * of a table concerns all its queries: right, though not exact.
 */
void rsq_index_put_up(rsq_index *ix);

/* What a query needs of a table is not all watched yet: from the next watch on. */
void rsq_index_note_more(rsq_index *ix, rsq_index_table *t, bool *more);

/* The bits of the columns that are read. False: no memory. */
bool rsq_index_mask_of(rsq_index *ix, rsq_index_table *t, const rsq_table_dep *dep, bool *more,
                       uint64_t *mask);

/* NULL: no memory, or too many keys. */
rsq_index_key *rsq_index_key_of(rsq_index *ix, rsq_index_table *t, const rsq_key_spec *spec, bool *more);

#endif
