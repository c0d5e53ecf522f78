/* Values, tables and columns by chance. Domains are small, so that what is written is what somebody reads. */
#include "schema.h"

const char *pick_text(generator *g, const char *const *texts, size_t n)
{
    return texts[random_below(&g->random, n)];
}

const table *pick_table(generator *g)
{
    return &g->schema.tables[random_below(&g->random, g->schema.ntables)];
}

const table *pick_ordinary_table(generator *g)
{
    const table *t;

    do
        t = pick_table(g);
    while (t->kind >= TABLE_FTS);
    return t;
}

const column *pick_column(generator *g, const table *t)
{
    return &t->columns[random_below(&g->random, t->ncolumns)];
}

const column *find_column(const table *t, value_kind values)
{
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].values == values)
            return &t->columns[i];
    }
    return NULL;
}

/* Mostly an integer; also what is equal to one, or looks like one. */
static rsq_value pick_int(generator *g)
{
    int64_t i = (int64_t)random_below(&g->random, 11) - 2;

    switch (random_below(&g->random, 20)) {
    case 0:
    case 1:
        return rsq_null();
    case 2:
        return rsq_real((double)i);
    case 3:
        return rsq_text(PICK(g, "1", "5", "05", "x"));
    case 4:
        return rsq_real((double)i + 0.5);
    case 5:
        return rsq_text(PICK(g, "2", "2.0", " 2", "2 ", "3e0", "0x2", "-1"));
    case 6:
        return random_chance(&g->random, 30) ? rsq_blob("2", 1) : rsq_integer(i);
    case 7:
        /* The two are equal as reals only. */
        if (random_chance(&g->random, 30))
            return random_chance(&g->random, 50) ? rsq_integer(9007199254740993)
                                                 : rsq_real(9007199254740992.0);
        return rsq_integer(i);
    default:
        return rsq_integer(i);
    }
}

static rsq_value pick_word(generator *g)
{
    if (random_chance(&g->random, 8))
        return rsq_null();
    return rsq_text(PICK(g, "ab", "Ab", "AB", "abc", "b", "B", "b ", "", "z", "é", "É", "5", "ab cd", "ab ",
                         "aB", "b  ", "2", "2.0"));
}

static rsq_value pick_doc(generator *g)
{
    if (random_chance(&g->random, 15))
        return random_chance(&g->random, 50) ? rsq_null() : rsq_blob("\x00\x01", 2);
    return rsq_text(PICK(g, "{\"k\":1}", "{\"k\":2,\"l\":[1,2]}", "{\"k\":\"ab\",\"l\":[]}", "[1,2,3]", "[]",
                         "{\"l\":[3,1]}", "7"));
}

rsq_value pick_value(generator *g, value_kind values)
{
    switch (values) {
    case VALUE_KEY:
        return rsq_integer((int64_t)random_below(&g->random, 32));
    case VALUE_INT:
        return pick_int(g);
    case VALUE_TEXT:
        return pick_word(g);
    case VALUE_REAL:
        return random_chance(&g->random, 12) ? rsq_null()
                                             : rsq_real((double)random_below(&g->random, 16) * 0.5 - 2);
    case VALUE_DOC:
        return pick_doc(g);
    case VALUE_UNIQUE:
        return random_chance(&g->random, 25) ? rsq_null()
                                             : rsq_integer((int64_t)random_below(&g->random, 24));
    case VALUE_PARENT:
        return random_chance(&g->random, 10) ? rsq_null()
                                             : rsq_integer((int64_t)random_below(&g->random, 32));
    case VALUE_WORDS:
        return rsq_text(PICK(g, "ab cd", "ab", "cd ef ab", "ef", "the ab of cd", "zz", "ab ab", ""));
    case VALUE_GENERATED:
        break;
    }
    return pick_int(g);
}

void append_value(sqlite3_str *s, rsq_value v)
{
    switch (v.type) {
    case RSQ_INTEGER:
        sqlite3_str_appendf(s, "%lld", (long long)v.as.i);
        return;
    case RSQ_REAL:
        sqlite3_str_appendf(s, "%!.15g", v.as.d);
        return;
    case RSQ_TEXT:
        sqlite3_str_appendf(s, "%Q", v.as.text);
        return;
    case RSQ_BLOB:
        sqlite3_str_appendall(s, "x'");
        for (uint32_t i = 0; i < v.len; i++)
            sqlite3_str_appendf(s, "%02x", ((const unsigned char *)v.as.blob)[i]);
        sqlite3_str_appendall(s, "'");
        return;
    default:
        sqlite3_str_appendall(s, "NULL");
    }
}
