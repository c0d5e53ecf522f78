#include "base/names.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

/* A commit that touches more tables than this counts as "everything". */
#define NAMES_MAX 4096

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
}

/* As SQLite compares names, whatever the program's locale says of letters: the first `len` bytes. */
static bool same_letters(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strlen(a);

    return len == strlen(b) && same_letters(a, b, len);
}

void rsq_names_fini(rsq_names *n)
{
    rsq_names_clear(n);
    rsq_free(n->names);
    *n = (rsq_names){0};
}

void rsq_names_clear(rsq_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        rsq_free(n->names[i]);
    n->count = 0;
    n->all = false;
}

static bool reserve_one(rsq_names *n)
{
    size_t capacity = n->capacity ? 2 * n->capacity : 8;
    char **grown;

    if (n->count < n->capacity)
        return true;
    if (n->count >= NAMES_MAX)
        return false;
    grown = rsq_realloc(n->names, capacity * sizeof *grown);
    if (!grown)
        return false;
    n->names = grown;
    n->capacity = capacity;
    return true;
}

/* Takes ownership of `name`; NULL stands for memory that ran out. */
static void add_owned(rsq_names *n, char *name)
{
    if (!name || !reserve_one(n)) {
        rsq_free(name);
        n->all = true;
        return;
    }
    n->names[n->count++] = name;
}

static bool is_name(const char *name, const char *schema, size_t schema_len, const char *table)
{
    return strlen(name) > schema_len && same_letters(name, schema, schema_len) && name[schema_len] == '.' &&
           same_name(name + schema_len + 1, table);
}

void rsq_names_add(rsq_names *n, const char *schema, const char *table)
{
    size_t schema_len = strlen(schema);
    size_t table_len = strlen(table);
    char *name;

    for (size_t i = 0; i < n->count; i++) {
        if (is_name(n->names[i], schema, schema_len, table))
            return;
    }
    name = rsq_alloc(schema_len + table_len + 2);
    if (name) {
        memcpy(name, schema, schema_len);
        name[schema_len] = '.';
        memcpy(name + schema_len + 1, table, table_len + 1);
    }
    add_owned(n, name);
}

bool rsq_names_contain(const rsq_names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++) {
        if (same_name(n->names[i], name))
            return true;
    }
    return false;
}

void rsq_names_add_text(rsq_names *n, const char *name)
{
    if (!rsq_names_contain(n, name))
        add_owned(n, rsq_copy_text(name, strlen(name)));
}

bool rsq_names_meet(const rsq_names *a, const rsq_names *b)
{
    if (a->all || b->all)
        return !rsq_names_empty(a) && !rsq_names_empty(b);
    for (size_t i = 0; i < a->count; i++) {
        if (rsq_names_contain(b, a->names[i]))
            return true;
    }
    return false;
}

bool rsq_name_equal(const char *a, const char *b)
{
    return same_name(a, b);
}

bool rsq_name_equal_n(const char *a, const char *b, size_t len)
{
    return same_letters(a, b, len);
}

uint64_t rsq_name_hash(const char *name)
{
    uint64_t h = 0;

    for (; *name; name++)
        h = rsq_hash_mix(h, (unsigned char)lower(*name));
    return h;
}
