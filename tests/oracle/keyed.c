/*
 * Live queries that reach rows by keys, in all ways that SQLite compiles to a
 * seek, and some that look like one and are none. Conditions compare with values
 * that are equal to a key's only after an affinity or by a collation.
 */
#include "draft.h"

/* A key, all columns of it, or the first, or another column that may have an index. */
static const char *pick_reached(draft *d, const table *t, value_kind *values)
{
    const column *c;

    if (random_chance(&d->g->random, 40)) {
        *values = t->text_key ? VALUE_TEXT : VALUE_KEY;
        if (t->kind == TABLE_BARE)
            return PICK(d->g, "rowid", "_rowid_", "oid");
        if (t->kind == TABLE_PAIR)
            return PICK(d->g, "y", "x");
        return t->kind == TABLE_TEXTKEY ? "k" : PICK(d->g, "id", "id", "rowid");
    }
    c = random_chance(&d->g->random, 60) ? find_column(t, VALUE_INT) : pick_column(d->g, t);
    *values = c->values;
    return c->name;
}

/* What looks like the value, or is equal to it in some columns. */
static rsq_value disguise(draft *d, rsq_value v)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    static const char *const reals[] = {"0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0"};

    if (v.type == RSQ_INTEGER && v.as.i >= 0 && v.as.i < 8) {
        switch (random_below(&d->g->random, 5)) {
        case 0:
            return rsq_text(digits[v.as.i]);
        case 1:
            return rsq_text(reals[v.as.i]);
        case 2:
            return rsq_blob(digits[v.as.i], 1);
        case 3:
            return rsq_real((double)v.as.i);
        default:
            return rsq_real((double)v.as.i + 0.5);
        }
    }
    if (v.type == RSQ_TEXT)
        return rsq_blob(v.as.text, v.len);
    return rsq_null();
}

static void put_operand(draft *d, value_kind values)
{
    rsq_value v = pick_value(d->g, values);

    put_value(d, random_chance(&d->g->random, 15) ? disguise(d, v) : v, values);
}

static void put_test(draft *d, const char *alias, const table *t)
{
    value_kind values;
    const char *name = pick_reached(d, t, &values);

    switch (random_below(&d->g->random, 12)) {
    case 0:
        PUT(d, "%s%s IN (", alias, name);
        put_operand(d, values);
        PUT(d, ", ");
        put_operand(d, values);
        PUT(d, ")");
        return;
    case 1:
        PUT(d, "%s%s BETWEEN ", alias, name);
        put_operand(d, values);
        PUT(d, " AND ");
        put_operand(d, values);
        return;
    case 2:
        PUT(d, "%s%s %s ", alias, name, PICK(d->g, ">", ">=", "<", "<="));
        put_operand(d, values);
        return;
    case 3:
        PUT(d, "%s%s > ", alias, name);
        put_operand(d, values);
        PUT(d, " AND %s%s %s ", alias, name, PICK(d->g, "<", "<="));
        put_operand(d, values);
        return;
    case 4:
        PUT(d, "%s%s IS ", alias, name);
        put_operand(d, values);
        return;
    case 5:
        PUT(d, "%s%s = ", alias, name);
        put_operand(d, values);
        PUT(d, PICK(d->g, " COLLATE NOCASE", " + 0", " COLLATE RTRIM", " || ''", " COLLATE BINARY"));
        return;
    case 6:
        PUT(d, "%s%s %s", alias, name, PICK(d->g, "GLOB 'ab*'", "LIKE 'ab%'", "LIKE 'AB'", "GLOB '[bz]*'"));
        return;
    default:
        PUT(d, "%s%s = ", alias, name);
        put_operand(d, values);
    }
}

static void put_tests(draft *d, const char *alias, const table *t)
{
    put_test(d, alias, t);
    for (int i = 0; i < 2 && random_chance(&d->g->random, 35); i++) {
        PUT(d, PICK(d->g, " AND ", " AND ", " OR "));
        put_test(d, alias, t);
    }
}

static void put_order(draft *d, const table *t)
{
    switch (random_below(&d->g->random, 4)) {
    case 0:
        PUT(d, " ORDER BY %s", t->key);
        d->q.order = ORDER_TOTAL;
        return;
    case 1:
        /* A column that is not given. */
        PUT(d, " ORDER BY %s%s, %s", pick_column(d->g, t)->name, PICK(d->g, "", " DESC"), t->key);
        d->q.order = ORDER_TOTAL;
        return;
    case 2:
        PUT(d, "%s LIMIT %d", PICK(d->g, "", " ORDER BY a", " ORDER BY a DESC"),
            1 + (int)random_below(&d->g->random, 2));
        d->q.order = ORDER_CHOOSES;
        return;
    default:
        return;
    }
}

void keyed_rows(draft *d)
{
    const table *t = pick_ordinary_table(d->g);

    PUT(d, "SELECT %s FROM %s WHERE ", random_chance(&d->g->random, 30) ? "*" : pick_column(d->g, t)->name,
        t->name);
    put_tests(d, "", t);
    put_order(d, t);
}

void keyed_counts(draft *d)
{
    const table *t = pick_ordinary_table(d->g);

    PUT(d, "SELECT %s FROM %s WHERE ",
        PICK(d->g, "count(*)", "count(*), max(a)", "max(a)", "min(a)", "count(a)", "sum(rowid)"), t->name);
    put_tests(d, "", t);
    d->q.order = ORDER_CHOOSES;
}

/* All columns of a key at once. */
void keyed_pairs(draft *d)
{
    const table *t = pick_ordinary_table(d->g);
    const char *first = t->kind == TABLE_PAIR ? "x" : "a";
    const char *second = t->kind == TABLE_PAIR ? "y" : t->kind == TABLE_LOG ? "t" : "b";
    value_kind one = VALUE_INT, two = t->kind == TABLE_PAIR ? VALUE_KEY : VALUE_TEXT;
    bool row = random_chance(&d->g->random, 30);

    PUT(d, "SELECT %s, a FROM %s WHERE ", t->key, t->name);
    PUT(d, row ? "(%s, %s) = (" : "%s = ", first, second);
    put_operand(d, one);
    if (row)
        PUT(d, ", ");
    else
        PUT(d, " AND %s %s ", second, PICK(d->g, "=", "=", ">", "<=", "IS", "GLOB"));
    put_operand(d, two);
    if (row)
        PUT(d, ")");
    put_order(d, t);
}

/* The second table is reached by what the first one gives. */
void keyed_joins(draft *d)
{
    const table *t = pick_ordinary_table(d->g), *u = pick_ordinary_table(d->g);
    value_kind ignored;
    const char *by = pick_reached(d, u, &ignored);

    PUT(d, "SELECT p.a, q.%s FROM %s AS p %s JOIN %s AS q ON q.%s = p.%s WHERE ", pick_column(d->g, u)->name,
        t->name, PICK(d->g, "", "LEFT", "LEFT", "CROSS"), u->name, by,
        random_chance(&d->g->random, 60) ? "a" : pick_column(d->g, t)->name);
    if (random_chance(&d->g->random, 75))
        put_test(d, "p.", t);
    else
        put_test(d, "q.", u);
}

void keyed_subqueries(draft *d)
{
    const table *t = pick_ordinary_table(d->g), *u = pick_ordinary_table(d->g);
    value_kind ignored;
    const char *by = pick_reached(d, u, &ignored);

    switch (random_below(&d->g->random, 4)) {
    case 0:
        PUT(d,
            "SELECT p.a, (SELECT q.%s FROM %s AS q WHERE q.%s = p.a ORDER BY q.a LIMIT 1) FROM %s AS p "
            "WHERE ",
            pick_column(d->g, u)->name, u->name, by, t->name);
        put_test(d, "p.", t);
        d->q.order = ORDER_CHOOSES;
        return;
    case 1:
        PUT(d, "SELECT count(*) FROM %s AS p WHERE EXISTS (SELECT 1 FROM %s AS q WHERE q.%s = p.a AND ",
            t->name, u->name, by);
        put_test(d, "q.", u);
        PUT(d, ") AND ");
        put_test(d, "p.", t);
        return;
    case 2:
        PUT(d, "SELECT %s FROM %s WHERE a = (SELECT max(a) FROM %s WHERE ", t->key, t->name, u->name);
        put_test(d, "", u);
        PUT(d, ") ORDER BY %s", t->key);
        d->q.order = ORDER_TOTAL;
        return;
    default:
        PUT(d, "SELECT a, 1 FROM %s WHERE ", t->name);
        put_test(d, "", t);
        PUT(d, " UNION ALL SELECT %s, 2 FROM %s WHERE ", pick_column(d->g, u)->name, u->name);
        put_test(d, "", u);
    }
}
