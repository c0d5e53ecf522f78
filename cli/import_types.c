/* The types of the columns that are imported; see import_types.h. */
#include "import_types.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "number.h"
#include "strbuf.h"

/* What inference has seen of a column. */
enum { SEEN_INTEGER = 1, SEEN_WIDE_INTEGER = 2, SEEN_REAL = 4, SEEN_TEXT = 8 };

#define EXACT_IN_DOUBLE (INT64_C(1) << 53)

struct typed_column {
    column_type type;
    bool fixed;    /* by --types */
    unsigned seen; /* SEEN_… */
};

/* --------------------------------------------------------------- --types -- */

static bool type_of_name(const char *s, size_t n, column_type *type)
{
    static const struct {
        const char *name;
        column_type type;
    } known[] = {{"integer", TYPE_INTEGER}, {"int", TYPE_INTEGER}, {"real", TYPE_REAL}, {"text", TYPE_TEXT}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == n && memcmp(known[i].name, s, n) == 0) {
            *type = known[i].type;
            return true;
        }
    }
    return false;
}

static char *copy_of(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1, 1);

    memcpy(copy, s, n);
    return copy;
}

/* One `name:type`; the name may hold colons. */
static char *parse_one(import_types *t, const char *entry, size_t n)
{
    size_t colon = n;
    column_type type;
    strbuf wrong = {0};

    while (colon && entry[colon - 1] != ':')
        colon--;
    if (colon > 1 && type_of_name(entry + colon, n - colon, &type)) {
        t->named = mem_resize(t->named, t->named_count + 1, sizeof *t->named);
        t->named[t->named_count].name = copy_of(entry, colon - 1);
        t->named[t->named_count].type = type;
        t->named[t->named_count].used = false;
        t->named_count++;
        return NULL;
    }
    strbuf_printf(&wrong, "\"%.*s\" is not NAME:integer, NAME:real or NAME:text", (int)n, entry);
    strbuf_cstr(&wrong);
    return wrong.data;
}

char *import_types_parse(import_types *t, const char *list)
{
    for (;;) {
        size_t n = strcspn(list, ",");
        char *wrong = parse_one(t, list, n);

        if (wrong || !list[n])
            return wrong;
        list += n + 1;
    }
}

const char *import_types_unused(const import_types *t)
{
    for (size_t i = 0; i < t->named_count; i++) {
        if (!t->named[i].used)
            return t->named[i].name;
    }
    return NULL;
}

/* -------------------------------------------------------------- inference -- */

void import_types_add(import_types *t, const char *name)
{
    struct typed_column *c;

    if (t->count == t->capacity) {
        t->capacity = mem_grow(t->capacity, 16);
        t->columns = mem_resize(t->columns, t->capacity, sizeof *t->columns);
    }
    c = &t->columns[t->count++];
    *c = (struct typed_column){.type = t->fallback};
    for (size_t i = 0; i < t->named_count; i++) {
        if (columns_same(name, t->named[i].name, strlen(t->named[i].name))) {
            c->type = t->named[i].type;
            c->fixed = true;
            t->named[i].used = true;
        }
    }
}

static unsigned look_at(const import_field *f)
{
    number n;

    switch (f->kind) {
    case FIELD_NULL:
    case FIELD_EMPTY:
        return 0;
    case FIELD_TRUE:
    case FIELD_FALSE:
        return SEEN_INTEGER;
    case FIELD_JSON:
        return SEEN_TEXT;
    case FIELD_TEXT:
    case FIELD_NUMBER:
        break;
    }
    n = number_infer(f->text, f->len);
    if (n.kind == NUMBER_REAL)
        return SEEN_REAL;
    if (n.kind != NUMBER_INTEGER)
        return SEEN_TEXT;
    return n.i > EXACT_IN_DOUBLE || n.i < -EXACT_IN_DOUBLE ? SEEN_WIDE_INTEGER : SEEN_INTEGER;
}

void import_types_see(import_types *t, const import_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        struct typed_column *c = &t->columns[row->fields[i].column];

        if (!c->fixed && !(c->seen & SEEN_TEXT))
            c->seen |= look_at(&row->fields[i]);
    }
}

static column_type decide(unsigned found)
{
    if (found == 0 || found & SEEN_TEXT)
        return TYPE_TEXT;
    if (!(found & SEEN_REAL))
        return TYPE_INTEGER;
    return found & SEEN_WIDE_INTEGER ? TYPE_TEXT : TYPE_REAL;
}

void import_types_decide(import_types *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!t->columns[i].fixed)
            t->columns[i].type = decide(t->columns[i].seen);
    }
}

/* ----------------------------------------------------------------- values -- */

const char *import_types_declared(const import_types *t, size_t column)
{
    static const char *const names[] = {"", " INTEGER", " REAL", " TEXT"};

    return names[t->columns[column].type];
}

const char *import_types_expected(const import_types *t, size_t column)
{
    static const char *const names[] = {"a number in range", "an integer", "a number", "text"};

    return names[t->columns[column].type];
}

static rsq_value text_of(const import_field *f)
{
    return rsq_text_n(f->text, (uint32_t)f->len);
}

static bool number_of(const import_field *f, bool integer, rsq_value *v)
{
    number n;

    if (f->kind == FIELD_TRUE || f->kind == FIELD_FALSE) {
        *v = integer ? rsq_integer(f->kind == FIELD_TRUE) : rsq_real(f->kind == FIELD_TRUE);
        return true;
    }
    if (f->kind == FIELD_JSON)
        return false;
    n = number_read(f->text, f->len);
    if (n.kind == NUMBER_NONE || n.kind == NUMBER_RANGE || (integer && n.kind != NUMBER_INTEGER))
        return false;
    *v = integer ? rsq_integer(n.i) : rsq_real(n.d);
    return true;
}

/* The value as the file says it. An integer beyond 64 bits becomes a REAL, as in SQL. */
static bool natural_value(const import_field *f, rsq_value *v)
{
    number n;

    if (f->kind == FIELD_TRUE || f->kind == FIELD_FALSE) {
        *v = rsq_integer(f->kind == FIELD_TRUE);
        return true;
    }
    if (f->kind != FIELD_NUMBER) {
        *v = text_of(f);
        return true;
    }
    n = number_infer(f->text, f->len);
    *v = n.kind == NUMBER_INTEGER ? rsq_integer(n.i) : rsq_real(n.d);
    return n.kind != NUMBER_RANGE;
}

bool import_types_value(const import_types *t, const import_field *f, rsq_value *v)
{
    column_type type = t->columns[f->column].type;

    if (f->kind == FIELD_NULL) {
        *v = rsq_null();
        return true;
    }
    if (f->kind == FIELD_EMPTY) {
        bool null = t->empty_is_null || type == TYPE_INTEGER || type == TYPE_REAL;

        *v = null ? rsq_null() : rsq_text_n("", 0);
        return true;
    }
    switch (type) {
    case TYPE_INTEGER:
    case TYPE_REAL:
        return number_of(f, type == TYPE_INTEGER, v);
    case TYPE_TEXT:
        *v = text_of(f);
        return true;
    case TYPE_ANY:
        break;
    }
    return natural_value(f, v);
}

void import_types_fini(import_types *t)
{
    for (size_t i = 0; i < t->named_count; i++)
        free(t->named[i].name);
    free(t->named);
    free(t->columns);
    memset(t, 0, sizeof *t);
}
