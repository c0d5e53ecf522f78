/*
 * Proving by which keys a table is reached; shared by reach.c (step by step, is
 * it within what is proven?), source.c (what does a register hold?), region.c
 * (between which keys does a cursor move?) and probes.c (what does that ask of
 * rows?). Thread: the holder of the connection.
 */
#ifndef RSQ_SQL_REACH_H
#define RSQ_SQL_REACH_H

#include "sql/analysis.h"

/* More keys than this, and the table depends on columns. */
#define RSQ_PROBES_MAX 256

/* Copies of copies of a register that are followed. */
#define RSQ_COPIES_MAX 4

typedef struct rsq_reach {
    rsq_analysis *a;
    const rsq_step *steps;
    size_t count;
    bool *target;       /* owned: may a jump lead to the step? */
    rsq_table_dep *dep; /* the table that is looked at, */
    size_t dep_index;   /* its number */
    bool failed;        /* no memory */
} rsq_reach;

/* What a register holds: one value, or one of several. */
typedef struct rsq_source {
    size_t def;            /* the step that wrote it */
    rsq_operand *operands; /* owned, text too */
    size_t count;
} rsq_source;

/* What one side of a seek is compared with, column by column of the index. */
typedef struct rsq_bound {
    rsq_source *sources; /* owned, each too */
    size_t count;
    bool open; /* the key itself is not reached */
} rsq_bound;

/* How a cursor moves from one place to another. */
typedef struct rsq_region {
    const rsq_opened *on;
    rsq_bound low, high; /* in the order of the index; `count` 0: no bound */
} rsq_region;

/* --- source.c --- */

/* Note the steps that a jump may lead to. */
void rsq_reach_mark_targets(rsq_reach *r);

/* May it stand between the writing of a register and its use, and does the program go on below? */
bool rsq_reach_is_plain(const rsq_step *s);

/* The first of the steps before `use` that the program runs one after the other, whenever it comes to `use`
 * from above. */
size_t rsq_reach_block_begin(const rsq_reach *r, size_t use);

/* What the register holds when the program comes to `use`; false: not certain. In any case rsq_source_fini().
 */
bool rsq_source_find(rsq_reach *r, int reg, size_t use, unsigned copies, rsq_source *src);
bool rsq_source_add_affinity(rsq_source *src, char affinity);
void rsq_source_fini(rsq_source *src);

/* --- region.c --- */

/* Is the cursor ever open on the table? One that is open on another one as well is on none for
 * rsq_reach_opened_at(). */
bool rsq_reach_is_ours(const rsq_reach *r, int cursor);

/* What the cursor is open on at a step; NULL: not certain. */
const rsq_opened *rsq_reach_opened_at(const rsq_reach *r, int cursor, size_t step);

/* Values of registers from `reg` on; false: not certain. In any case rsq_bound_fini(). */
bool rsq_bound_take(rsq_reach *r, int reg, size_t count, size_t use, rsq_bound *b);
bool rsq_bound_as_rowid(rsq_bound *b);
void rsq_bound_fini(rsq_bound *b);

bool rsq_region_is_seek(rsq_opcode op);
bool rsq_region_is_scan(rsq_opcode op); /* from the first row, or from the last */

/* How many registers a step compares with. */
size_t rsq_region_fields(const rsq_step *s);

/* The step that each row of the loop goes through first, and that ends it; `r->count`: there is none. */
size_t rsq_region_find_check(const rsq_reach *r, size_t seek, int cursor, bool rowid);

/* Between which keys the cursor moves from a seek on; false: not certain. */
bool rsq_region_take(rsq_reach *r, size_t seek, rsq_region *g);

/* --- probes.c --- */

/* What the region, or a row id, asks of rows. False: it cannot be said, or there is no memory. */
bool rsq_probes_add_region(rsq_reach *r, const rsq_region *g);
bool rsq_probes_add_rowid(rsq_reach *r, const rsq_source *rowid);

#endif
