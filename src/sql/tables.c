#include "sql/tables.h"

#include <string.h>

#include "base/alloc.h"
#include "base/names.h"

/* So many names are kept from one transaction to the next. */
#define KEPT_MAX 1024

_Static_assert(RSQ_TABLES_MAX <= UINT16_MAX, "a number fits");

static void forget_all(rsq_tables *ts)
{
    for (size_t i = 0; i < ts->count; i++)
        rsq_free(ts->names[i].text);
    ts->count = 0;
}

void rsq_tables_fini(rsq_tables *ts)
{
    forget_all(ts);
    rsq_free(ts->names);
    *ts = (rsq_tables){0};
}

void rsq_tables_trim(rsq_tables *ts)
{
    if (ts->count > KEPT_MAX)
        forget_all(ts);
}

/* Letter by letter; the schema's name cannot hold the point. */
static bool is_exactly(const rsq_table_name *n, const char *schema, const char *table)
{
    return strncmp(n->text, schema, n->schema_len) == 0 && schema[n->schema_len] == '\0' &&
           strcmp(n->text + n->schema_len + 1, table) == 0;
}

static bool is_same(const rsq_table_name *n, const char *schema, size_t schema_len, const char *table)
{
    return n->schema_len == schema_len && rsq_name_equal(n->text + schema_len + 1, table) &&
           rsq_name_equal_n(n->text, schema, schema_len);
}

static bool reserve_one(rsq_tables *ts)
{
    size_t capacity = ts->capacity ? 2 * ts->capacity : 8;
    rsq_table_name *grown;

    if (ts->count < ts->capacity)
        return true;
    grown = rsq_realloc(ts->names, capacity * sizeof *grown);
    if (!grown)
        return false;
    ts->names = grown;
    ts->capacity = capacity;
    return true;
}

static int add(rsq_tables *ts, const char *schema, size_t schema_len, const char *table)
{
    size_t table_len = strlen(table);
    rsq_table_name n = {.len = schema_len + 1 + table_len, .schema_len = schema_len};

    if (ts->count >= RSQ_TABLES_MAX || !reserve_one(ts))
        return -1;
    n.text = rsq_alloc(n.len + 1);
    if (!n.text)
        return -1;
    memcpy(n.text, schema, schema_len);
    n.text[schema_len] = '.';
    memcpy(n.text + schema_len + 1, table, table_len + 1);
    ts->names[ts->count] = n;
    return (int)ts->count++;
}

static int find_or_add(rsq_tables *ts, const char *schema, const char *table)
{
    size_t schema_len = strlen(schema);

    for (size_t i = 0; i < ts->count; i++) {
        if (!is_same(&ts->names[i], schema, schema_len, table))
            continue;
        /* As it is written now: a table that was dropped and made again may have other letters. */
        memcpy(ts->names[i].text + schema_len + 1, table, ts->names[i].len - schema_len - 1);
        return (int)i;
    }
    return add(ts, schema, schema_len, table);
}

int rsq_tables_number(rsq_tables *ts, const char *schema, const char *table)
{
    uint16_t *recent = &ts->recent[((uintptr_t)table >> 4) & (RSQ_TABLES_RECENT - 1)];
    int number;

    /* The address may be another table's by now. */
    if (*recent < ts->count && is_exactly(&ts->names[*recent], schema, table))
        return *recent;
    number = find_or_add(ts, schema, table);
    if (number >= 0)
        *recent = (uint16_t)number;
    return number;
}

void rsq_table_bits_clear(rsq_table_bits *s)
{
    for (unsigned i = 0; i < s->used; i++)
        s->words[i] = 0;
    s->used = 0;
    s->all = false;
}

void rsq_table_bits_add(rsq_table_bits *s, int number)
{
    unsigned word = (unsigned)number / 64;

    if (number < 0) {
        s->all = true;
        return;
    }
    s->words[word] |= UINT64_C(1) << (unsigned)number % 64;
    if (s->used <= word)
        s->used = word + 1;
}

void rsq_table_bits_merge(rsq_table_bits *s, const rsq_table_bits *from)
{
    for (unsigned i = 0; i < from->used; i++)
        s->words[i] |= from->words[i];
    if (s->used < from->used)
        s->used = from->used;
    s->all = s->all || from->all;
}

int rsq_table_bits_next(const rsq_table_bits *s, int number)
{
    /* Word by word: each commit asks, and has one or two tables of 64. */
    for (unsigned at = (unsigned)number; at / 64 < s->used; at = (at / 64 + 1) * 64) {
        uint64_t rest = s->words[at / 64] >> at % 64;

        if (rest)
            return (int)at + __builtin_ctzll(rest);
    }
    return -1;
}
