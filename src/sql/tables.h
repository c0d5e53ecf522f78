/*
 * Tables by number: those that rows of were changed in, as the preupdate hook
 * names them. A statement changes the same few tables each time, so their names
 * are kept, and a set of tables is a row of bits: noting one, and adding the
 * tables of a statement to those of its transaction, allocate and copy nothing.
 * Thread: the connection's.
 */
#ifndef RSQ_SQL_TABLES_H
#define RSQ_SQL_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one catalog, and so in one set; what changes more counts as "every table". */
#define RSQ_TABLES_MAX 4096

typedef struct rsq_table_name {
    char *text; /* owned: "schema.table" */
    size_t len;
    size_t schema_len;
} rsq_table_name;

#define RSQ_TABLES_RECENT 16 /* a power of two */

typedef struct rsq_tables {
    rsq_table_name *names; /* owned */
    size_t count, capacity;
    /* Where a name may be found first, by the address that SQLite has it at. */
    uint16_t recent[RSQ_TABLES_RECENT];
} rsq_tables;

/* All-zero is empty. */
void rsq_tables_fini(rsq_tables *ts);

/* The number of a table, new or not, without regard to ASCII case; -1: no memory, or there are too many. */
int rsq_tables_number(rsq_tables *ts, const char *schema, const char *table);

/* Forget all names if they have become many; then no set of their numbers may exist. */
void rsq_tables_trim(rsq_tables *ts);

/*
 * Some of the tables of one catalog. `all` means "every table": what is not
 * known is taken to be everything. All-zero is the empty set.
 */
typedef struct rsq_table_bits {
    uint64_t words[RSQ_TABLES_MAX / 64];
    unsigned used; /* words that may have a bit */
    bool all;
} rsq_table_bits;

void rsq_table_bits_clear(rsq_table_bits *s);
void rsq_table_bits_add(rsq_table_bits *s, int number); /* -1: all */
void rsq_table_bits_merge(rsq_table_bits *s, const rsq_table_bits *from);

/* The first one from `number` on; -1: there is none. */
int rsq_table_bits_next(const rsq_table_bits *s, int number);

static inline bool rsq_table_bits_empty(const rsq_table_bits *s)
{
    return !s->all && s->used == 0;
}

#endif
