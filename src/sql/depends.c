#include "sql/depends.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define WORD_BITS 64

void rsq_column_set_add(rsq_column_set *set, unsigned column)
{
    size_t word = column / WORD_BITS;

    if (set->all)
        return;
    if (word >= set->nwords) {
        uint64_t *grown = rsq_realloc(set->words, (word + 1) * sizeof *grown);

        if (!grown) {
            set->all = true;
            return;
        }
        memset(grown + set->nwords, 0, (word + 1 - set->nwords) * sizeof *grown);
        set->words = grown;
        set->nwords = word + 1;
    }
    set->words[word] |= (uint64_t)1 << (column % WORD_BITS);
}

bool rsq_column_set_has(const rsq_column_set *set, unsigned column)
{
    size_t word = column / WORD_BITS;

    return set->all || (word < set->nwords && (set->words[word] >> (column % WORD_BITS) & 1));
}

void rsq_column_set_merge(rsq_column_set *set, const rsq_column_set *from)
{
    set->all = set->all || from->all;
    for (size_t i = 0; i < from->nwords * WORD_BITS; i++) {
        if (from->words[i / WORD_BITS] >> (i % WORD_BITS) & 1)
            rsq_column_set_add(set, (unsigned)i);
    }
}

bool rsq_column_set_empty(const rsq_column_set *set)
{
    for (size_t i = 0; i < set->nwords; i++) {
        if (set->words[i])
            return false;
    }
    return !set->all;
}

void rsq_column_set_fini(rsq_column_set *set)
{
    rsq_free(set->words);
    *set = (rsq_column_set){0};
}

void rsq_table_dep_drop_keys(rsq_table_dep *t)
{
    for (size_t i = 0; i < t->nprobes; i++) {
        rsq_probe *p = &t->probes[i];
        const rsq_key_spec *spec = &t->specs[p->spec];

        for (size_t j = 0; p->equal && j < spec->ncolumns - (spec->ranged ? 1 : 0); j++)
            rsq_free(p->equal[j].text);
        rsq_free(p->equal);
        rsq_free(p->low.text);
        rsq_free(p->high.text);
    }
    for (size_t i = 0; i < t->nspecs; i++)
        rsq_free(t->specs[i].columns);
    rsq_free(t->probes);
    rsq_free(t->specs);
    t->probes = NULL;
    t->specs = NULL;
    t->nprobes = t->nspecs = 0;
    t->keyed = false;
}

static void free_depends(rsq_depends *d)
{
    for (size_t i = 0; i < d->ntables; i++) {
        rsq_table_dep *t = &d->tables[i];

        rsq_table_dep_drop_keys(t);
        rsq_column_set_fini(&t->columns);
        rsq_column_set_fini(&t->doubtful);
        for (size_t j = 0; t->names && j < t->ncolumns; j++)
            rsq_free(t->names[j]);
        rsq_free(t->names);
        rsq_free(t->primary);
        rsq_free(t->name);
    }
    rsq_free(d->tables);
    rsq_free(d);
}

rsq_depends *rsq_depends_new(void)
{
    rsq_depends *d = rsq_alloc_zero(sizeof *d);

    if (d)
        atomic_init(&d->refs, 1);
    return d;
}

rsq_depends *rsq_depends_ref(rsq_depends *d)
{
    if (d)
        atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void rsq_depends_unref(rsq_depends *d)
{
    if (d && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1)
        free_depends(d);
}

/* A text that grows; `failed` when memory ran out. */
typedef struct text {
    char *bytes; /* owned */
    size_t len, capacity;
    bool failed;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (t->failed || n < 0)
        return;
    if (t->len + (size_t)n + 1 > t->capacity) {
        size_t capacity = 2 * t->capacity + (size_t)n + 64;
        char *grown = rsq_realloc(t->bytes, capacity);

        if (!grown) {
            t->failed = true;
            return;
        }
        t->bytes = grown;
        t->capacity = capacity;
    }
    va_start(args, format);
    (void)vsnprintf(t->bytes + t->len, t->capacity - t->len, format, args);
    va_end(args);
    t->len += (size_t)n;
}

static void add_columns(text *to, const rsq_table_dep *t)
{
    const char *separator = "";

    if (t->columns.all) {
        add(to, "whole rows");
        return;
    }
    if (rsq_column_set_empty(&t->columns)) {
        add(to, "which rows there are");
        return;
    }
    add(to, "columns ");
    for (unsigned i = 0; i < t->ncolumns; i++) {
        if (!rsq_column_set_has(&t->columns, i))
            continue;
        add(to, "%s%s", separator, t->names[i]);
        separator = ", ";
    }
}

static void add_operand(text *to, const rsq_operand *o)
{
    switch (o->kind) {
    case RSQ_OPERAND_PARAM:
        add(to, "?%u", o->param + 1);
        break;
    case RSQ_OPERAND_INTEGER:
        add(to, "%lld", (long long)o->integer);
        break;
    case RSQ_OPERAND_TEXT:
        add(to, "'%s'", o->text);
        break;
    case RSQ_OPERAND_NULL:
        add(to, "NULL");
        break;
    }
}

static void add_key_column(text *to, const rsq_table_dep *t, const rsq_key_column *c)
{
    static const char *const collations[] = {"", " COLLATE NOCASE", " COLLATE RTRIM", ""};

    add(to, "%s%s", c->column == RSQ_KEY_ROWID ? "rowid" : t->names[c->column], collations[c->collation]);
}

static void add_probe(text *to, const rsq_table_dep *t, const rsq_probe *p)
{
    const rsq_key_spec *spec = &t->specs[p->spec];
    size_t nequal = spec->ncolumns - (spec->ranged ? 1 : 0);
    const char *separator = "";

    for (size_t i = 0; i < nequal; i++) {
        add(to, "%s", separator);
        add_key_column(to, t, &spec->columns[i]);
        add(to, " = ");
        add_operand(to, &p->equal[i]);
        separator = " AND ";
    }
    if (p->has_low) {
        add(to, "%s", separator);
        add_key_column(to, t, &spec->columns[nequal]);
        add(to, p->low_open ? " > " : " >= ");
        add_operand(to, &p->low);
        separator = " AND ";
    }
    if (p->has_high) {
        add(to, "%s", separator);
        add_key_column(to, t, &spec->columns[nequal]);
        add(to, p->high_open ? " < " : " <= ");
        add_operand(to, &p->high);
    }
}

static void add_keys(text *to, const rsq_table_dep *t)
{
    for (size_t i = 0; i < t->nprobes; i++) {
        add(to, "%s", i ? " OR " : "");
        add_probe(to, t, &t->probes[i]);
    }
}

static void add_table(text *to, const rsq_table_dep *t)
{
    add(to, "%s: ", t->name);
    if (t->keyed) {
        add(to, "key (");
        add_keys(to, t);
        add(to, "), ");
    }
    add_columns(to, t);
    add(to, "\n");
}

char *rsq_depends_text(const rsq_depends *d)
{
    text to = {0};

    if (d->volatile_by[0])
        add(&to, "volatile: %s()\n", d->volatile_by);
    if (d->everything)
        add(&to, "everything: every commit\n");
    else if (d->ntables == 0)
        add(&to, "constant: no table\n");
    for (size_t i = 0; !d->everything && i < d->ntables; i++)
        add_table(&to, &d->tables[i]);
    if (to.failed) {
        rsq_free(to.bytes);
        return NULL;
    }
    return to.bytes;
}

/* --- as a result --- */

/* A cell of text; NULL text: NULL. */
static bool set_text(rsq_builder *b, rsq_value *cell, const char *bytes)
{
    size_t len = bytes ? strlen(bytes) : 0;
    char *copy = bytes ? rsq_builder_bytes(b, len + 1) : NULL;

    if (bytes && !copy)
        return false;
    if (copy)
        memcpy(copy, bytes, len + 1);
    *cell = copy ? rsq_text_n(copy, (uint32_t)len) : rsq_null();
    return true;
}

#define ROW_COLUMNS 4

static bool add_row(rsq_builder *b, const char *const texts[ROW_COLUMNS])
{
    rsq_value *row = rsq_builder_row(b);

    for (size_t i = 0; row && i < ROW_COLUMNS; i++) {
        if (!set_text(b, &row[i], texts[i]))
            return false;
    }
    return row != NULL;
}

static bool add_table_row(rsq_builder *b, const rsq_table_dep *t, uint32_t flags)
{
    bool whole = t->columns.all || (flags & RSQ_OPEN_NO_COLUMN_LEVEL);
    bool keyed = t->keyed && !(flags & RSQ_OPEN_NO_KEY_LEVEL);
    const char *level = keyed ? "key" : whole ? "table" : "column";
    text columns = {0}, keys = {0};
    bool added;

    if (whole)
        add(&columns, "whole rows");
    else
        add_columns(&columns, t);
    if (keyed)
        add_keys(&keys, t);
    added = !columns.failed && !keys.failed &&
            add_row(b, (const char *const[]){t->name, level, columns.bytes, keys.bytes});
    rsq_free(columns.bytes);
    rsq_free(keys.bytes);
    return added;
}

bool rsq_depends_rows(const rsq_depends *d, uint32_t flags, rsq_builder *b)
{
    if (d->volatile_by[0] && !add_row(b, (const char *const[]){NULL, "volatile", d->volatile_by, NULL}))
        return false;
    if (d->everything)
        return add_row(b, (const char *const[]){NULL, "everything", NULL, NULL});
    if (d->ntables == 0)
        return add_row(b, (const char *const[]){NULL, "constant", NULL, NULL});
    for (size_t i = 0; i < d->ntables; i++) {
        if (!add_table_row(b, &d->tables[i], flags))
            return false;
    }
    return true;
}

rsq_columns *rsq_depends_columns(void)
{
    static const char *const names[ROW_COLUMNS] = {"table", "level", "columns", "keys"};

    return rsq_columns_new(names, ROW_COLUMNS);
}
