/*
 * A set of names ("main.cities"): the tables a query reads, the tables a commit
 * changed. Sets are small, so they are arrays that are searched in order.
 *
 * `all` means "every table": what is not known is taken to be everything, and
 * running out of memory while adding ends there too, never in a missing name.
 * Thread: the owner's.
 */
#ifndef RSQ_BASE_NAMES_H
#define RSQ_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_names {
    char **names; /* owned, each too */
    size_t count;
    size_t capacity;
    bool all;
} rsq_names;

/* All-zero is the empty set. */
void rsq_names_fini(rsq_names *n);

/* Empty the set, keeping its array. */
void rsq_names_clear(rsq_names *n);

/* Add "schema.table"; names are compared without regard to ASCII case, as SQLite does. */
void rsq_names_add(rsq_names *n, const char *schema, const char *table);

/* The same for a name in one piece. */
void rsq_names_add_text(rsq_names *n, const char *name);

/* Is the name in it? `all` is not looked at. */
bool rsq_names_contain(const rsq_names *n, const char *name);

/* Do they share a name? `all` shares with everything that is not empty. */
bool rsq_names_meet(const rsq_names *a, const rsq_names *b);

/* As SQLite compares names: without regard to ASCII case, whatever the program's locale says. */
bool rsq_name_equal(const char *a, const char *b);
bool rsq_name_equal_n(const char *a, const char *b, size_t len); /* their first bytes; neither is shorter */
uint64_t rsq_name_hash(const char *name);

static inline bool rsq_names_empty(const rsq_names *n)
{
    return !n->all && n->count == 0;
}

#endif
