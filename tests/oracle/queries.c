/*
 * Random live queries of all shapes. Each says how sure the order of its rows
 * is: plans may differ between two connections when statistics have changed.
 */
#include "draft.h"

void put_value(draft *d, rsq_value v, value_kind kind)
{
    if (d->q.nparams < PARAMS_MAX && random_chance(&d->g->random, 60)) {
        sqlite3_str_appendall(d->s, "?");
        d->q.kinds[d->q.nparams] = (unsigned char)kind;
        d->q.params[d->q.nparams++] = v;
    } else {
        append_value(d->s, v);
    }
}

static void put_pick(draft *d, value_kind values)
{
    put_value(d, pick_value(d->g, values), values);
}

static const char *key_of(const table *t)
{
    return t->kind == TABLE_PAIR ? "y" : t->key;
}

static value_kind key_values(const table *t)
{
    return t->text_key ? VALUE_TEXT : VALUE_KEY;
}

static const table *pick_ordinary(draft *d)
{
    return pick_ordinary_table(d->g);
}

static bool is_bare(const table *t)
{
    return t->kind == TABLE_BARE;
}

/* The columns that a query gives: all, or some. */
static void put_columns(draft *d, const table *t)
{
    switch (random_below(&d->g->random, 4)) {
    case 0:
        PUT(d, "%s*", is_bare(t) ? "rowid, " : "");
        return;
    case 1:
        PUT(d, "%s, %s", t->key, pick_column(d->g, t)->name);
        return;
    case 2:
        PUT(d, "%s", pick_column(d->g, t)->name);
        return;
    default:
        PUT(d, "%s, a", pick_column(d->g, t)->name);
        return;
    }
}

/* ------------------------------------------------------- conditions -- */

static void put_key_condition(draft *d, const table *t)
{
    const char *key = key_of(t);
    value_kind values = key_values(t);

    switch (random_below(&d->g->random, 6)) {
    case 0:
        PUT(d, "%s BETWEEN ", key);
        put_pick(d, values);
        PUT(d, " AND ");
        put_pick(d, values);
        return;
    case 1:
        PUT(d, "%s IN (", key);
        put_pick(d, values);
        PUT(d, ", ");
        put_pick(d, values);
        PUT(d, ", ");
        put_pick(d, values);
        PUT(d, ")");
        return;
    case 2:
        PUT(d, "%s >= ", key);
        put_pick(d, values);
        PUT(d, " AND %s < ", key);
        put_pick(d, values);
        return;
    default:
        PUT(d, "%s = ", key);
        put_pick(d, values);
        return;
    }
}

static void put_column_condition(draft *d, const table *t)
{
    const column *c = pick_column(d->g, t);

    switch (random_below(&d->g->random, 9)) {
    case 0:
        PUT(d, "%s IS NULL", c->name);
        return;
    case 1:
        PUT(d, "%s > ", c->name);
        break;
    case 2:
        PUT(d, "%s IN (", c->name);
        put_pick(d, c->values);
        PUT(d, ", ");
        put_pick(d, c->values);
        PUT(d, ")");
        return;
    case 3:
        PUT(d, "%s LIKE 'a%%'", c->name);
        return;
    case 4:
        PUT(d, "lower(%s) = ", c->name);
        break;
    case 5:
        PUT(d, "%s BETWEEN ", c->name);
        put_pick(d, c->values);
        PUT(d, " AND ");
        break;
    default:
        PUT(d, "%s = ", c->name);
        break;
    }
    put_pick(d, c->values);
}

static void put_condition(draft *d, const table *t)
{
    if (random_chance(&d->g->random, 45))
        put_key_condition(d, t);
    else
        put_column_condition(d, t);
    if (random_chance(&d->g->random, 20)) {
        PUT(d, PICK(d->g, " AND ", " OR ", " AND NOT "));
        put_column_condition(d, t);
    }
}

static void put_order_by_key(draft *d, const table *t)
{
    PUT(d, " ORDER BY %s", t->key);
    d->q.order = ORDER_TOTAL;
}

/* ------------------------------------------------------- one table -- */

static void rows_by_condition(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT ");
    put_columns(d, t);
    PUT(d, " FROM %s WHERE ", t->name);
    put_condition(d, t);
    if (random_chance(&d->g->random, 60))
        put_order_by_key(d, t);
}

static void rows_by_key(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT %s* FROM %s WHERE ", is_bare(t) ? "rowid, " : "", t->name);
    put_key_condition(d, t);
    put_order_by_key(d, t);
}

static void rows_by_column(draft *d)
{
    const table *t = pick_ordinary(d);
    const column *c = random_chance(&d->g->random, 70) ? find_column(t, VALUE_INT) : pick_column(d->g, t);

    PUT(d, "SELECT %s, %s FROM %s WHERE %s = ", t->key, pick_column(d->g, t)->name, t->name, c->name);
    put_pick(d, c->values);
    if (random_chance(&d->g->random, 50))
        put_order_by_key(d, t);
}

static void whole_table(draft *d)
{
    const table *t = pick_table(d->g);

    PUT(d, "SELECT %s* FROM %s", t->kind < TABLE_RTREE && is_bare(t) ? "rowid, " : "", t->name);
    if (t->kind < TABLE_FTS)
        put_order_by_key(d, t);
}

static void ordered_and_limited(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT %s, a FROM %s ", t->key, t->name);
    if (random_chance(&d->g->random, 40)) {
        PUT(d, "WHERE ");
        put_condition(d, t);
    }
    PUT(d, " ORDER BY %s%s", PICK(d->g, "", "a DESC, ", "a, "), t->key);
    if (t->kind != TABLE_PAIR && random_chance(&d->g->random, 30))
        PUT(d, " DESC");
    PUT(d, " LIMIT ");
    put_value(d, rsq_integer((int64_t)random_below(&d->g->random, 6)), VALUE_KEY);
    if (random_chance(&d->g->random, 30))
        PUT(d, " OFFSET %d", (int)random_below(&d->g->random, 5));
    d->q.order = ORDER_TOTAL;
}

static void some_rows(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT a FROM %s WHERE ", t->name);
    put_condition(d, t);
    PUT(d, " LIMIT %d", 1 + (int)random_below(&d->g->random, 3));
    d->q.order = ORDER_CHOOSES;
}

static void expression_rows(draft *d)
{
    const table *t = pick_ordinary(d);
    const char *b = t->kind == TABLE_LOG ? "t" : "b";

    PUT(d, "SELECT %s, lower(%s) FROM %s WHERE %s", t->key, b, t->name,
        PICK(d->g, "a + 0 = ", "a > 2 AND a = ", "a < 5 AND a = ", "a = "));
    put_pick(d, VALUE_INT);
    put_order_by_key(d, t);
}

static void generated_rows(draft *d)
{
    const table *t = pick_ordinary(d);
    const column *c = NULL;

    for (int i = 0; i < 8 && !c; i++) {
        t = pick_ordinary(d);
        c = find_column(t, VALUE_GENERATED);
    }
    if (!c) {
        whole_table(d);
        return;
    }
    PUT(d, "SELECT %s, %s FROM %s", t->key,
        random_chance(&d->g->random, 50) ? c->name : pick_column(d->g, t)->name, t->name);
    if (random_chance(&d->g->random, 75)) {
        PUT(d, " WHERE %s = ", c->name);
        put_pick(d, VALUE_GENERATED);
    }
    put_order_by_key(d, t);
}

/* Its runs can be made to wait; see gate.h. */
static void gated_rows(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT %s, a, %s FROM %s WHERE gate()", t->key, pick_column(d->g, t)->name, t->name);
    if (random_chance(&d->g->random, 40)) {
        PUT(d, " AND (");
        put_condition(d, t);
        PUT(d, ")");
    }
    put_order_by_key(d, t);
    d->q.gated = true;
}

/* ------------------------------------------------------- aggregates -- */

static void count_rows(draft *d)
{
    PUT(d, "SELECT count(*) FROM %s", pick_table(d->g)->name);
    d->q.order = ORDER_TOTAL;
}

static void aggregate(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT %s FROM %s",
        PICK(d->g, "count(*), sum(a), max(a)", "min(a), max(a)", "max(a)", "count(DISTINCT a)",
             "count(a), avg(a)", "total(a), min(rowid)", "count(*) FILTER (WHERE a > 2)"),
        t->name);
    if (random_chance(&d->g->random, 50)) {
        PUT(d, " WHERE ");
        put_condition(d, t);
    }
    d->q.order = ORDER_CHOOSES; /* sums of reals depend on their order, and min() gives 1 or 1.0 */
}

static void grouped(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT a, count(*)%s FROM %s GROUP BY a%s", PICK(d->g, "", ", max(a)", ", group_concat(a, ',')"),
        t->name, PICK(d->g, "", " HAVING count(*) > 1", " ORDER BY a"));
    d->q.order = ORDER_CHOOSES;
}

static void exists_row(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT EXISTS (SELECT 1 FROM %s WHERE ", t->name);
    put_condition(d, t);
    PUT(d, ")");
    d->q.order = ORDER_TOTAL;
}

static void distinct(draft *d)
{
    PUT(d, "SELECT DISTINCT a FROM %s%s", pick_ordinary(d)->name, PICK(d->g, "", " ORDER BY a"));
    d->q.order = ORDER_CHOOSES;
}

static void window(draft *d)
{
    const table *t = pick_ordinary(d);

    PUT(d, "SELECT %s, a, %s OVER (%sORDER BY %s%s) FROM %s ORDER BY %s", t->key,
        PICK(d->g, "row_number()", "sum(a)", "lag(a)", "first_value(a)", "count(*)"),
        PICK(d->g, "", "PARTITION BY a "), t->key,
        PICK(d->g, "", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING"), t->name, t->key);
    d->q.order = ORDER_TOTAL;
}

/* ------------------------------------------------------- several tables -- */

static void inner_join(draft *d)
{
    const table *t = pick_ordinary(d), *u = pick_ordinary(d);

    PUT(d, "SELECT p.*, q.a FROM %s AS p %s JOIN %s AS q ON q.%s = p.a", t->name,
        PICK(d->g, "", "LEFT", "CROSS"), u->name, u->kind == TABLE_ROWID ? "id" : "a");
    if (random_chance(&d->g->random, 50)) {
        PUT(d, " WHERE p.%s = ", t->kind == TABLE_BARE ? "rowid" : key_of(t));
        put_pick(d, key_values(t));
    }
}

static void named_join(draft *d)
{
    const char *t = pick_ordinary(d)->name, *u = pick_ordinary(d)->name;

    PUT(d, "SELECT %s FROM %s AS p %s JOIN %s AS q USING (a)", PICK(d->g, "count(*)", "p.a", "*", "1", "q.a"),
        t, PICK(d->g, "", "LEFT", "FULL", "RIGHT"), u);
}

static void natural_join(draft *d)
{
    PUT(d, "SELECT %s FROM %s NATURAL %s %s", PICK(d->g, "count(*)", "a", "*", "1"), pick_ordinary(d)->name,
        PICK(d->g, "JOIN", "LEFT JOIN", "FULL JOIN"), pick_ordinary(d)->name);
}

static void in_subquery(draft *d)
{
    const table *t = pick_ordinary(d), *u = pick_ordinary(d);

    PUT(d, "SELECT %s, a FROM %s WHERE a %sIN (SELECT a FROM %s WHERE ", t->key, t->name,
        PICK(d->g, "", "NOT "), u->name);
    put_condition(d, u);
    PUT(d, ")");
    put_order_by_key(d, t);
}

static void scalar_subquery(draft *d)
{
    const table *t = pick_ordinary(d), *u = pick_ordinary(d);

    if (random_chance(&d->g->random, 50))
        PUT(d, "SELECT %s, (SELECT count(*) FROM %s AS q WHERE q.a = p.a) FROM %s AS p ORDER BY %s", t->key,
            u->name, t->name, t->key);
    else
        PUT(d, "SELECT %s FROM %s AS p WHERE EXISTS (SELECT 1 FROM %s AS q WHERE q.a = p.a) ORDER BY %s",
            t->key, t->name, u->name, t->key);
    d->q.order = ORDER_TOTAL;
}

static void compound(draft *d)
{
    const table *t = pick_ordinary(d), *u = pick_ordinary(d);

    PUT(d, "SELECT a FROM %s WHERE ", t->name);
    put_condition(d, t);
    PUT(d, " %s SELECT a FROM %s", PICK(d->g, "UNION", "UNION ALL", "INTERSECT", "EXCEPT"), u->name);
    d->q.order = ORDER_CHOOSES; /* which of 1 and 1.0 stays */
}

static void common_table(draft *d)
{
    const table *t = pick_ordinary(d), *u = pick_ordinary(d);

    if (random_chance(&d->g->random, 50)) {
        PUT(d,
            "WITH q AS %s(SELECT a, count(*) AS n FROM %s GROUP BY a) SELECT p.a, q.n FROM %s AS p JOIN q ON "
            "q.a = p.a",
            PICK(d->g, "", "MATERIALIZED ", "NOT MATERIALIZED "), t->name, u->name);
        return;
    }
    PUT(d,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3 + (SELECT count(*) FROM "
        "%s) / 4) "
        "SELECT i, (SELECT count(*) FROM %s WHERE a = i) FROM n",
        t->name, u->name);
    d->q.order = ORDER_TOTAL;
}

static void recursive_children(draft *d)
{
    const schema *s = &d->g->schema;

    for (size_t i = 0; i < s->ntables; i++) {
        if (s->tables[i].kind != TABLE_CHILD)
            continue;
        PUT(d,
            "WITH RECURSIVE up(n) AS (VALUES (%d) UNION SELECT pid FROM %s JOIN up ON id = n) "
            "SELECT count(*), max(n) FROM up",
            (int)random_below(&d->g->random, 12), s->tables[i].name);
        d->q.order = ORDER_TOTAL;
        return;
    }
    common_table(d);
}

static void through_view(draft *d)
{
    const schema *s = &d->g->schema;

    if (s->nviews == 0) {
        scalar_subquery(d);
        return;
    }
    PUT(d, "SELECT %s FROM %s", PICK(d->g, "*", "count(*)", "a"),
        s->views[random_below(&d->g->random, s->nviews)]);
    if (random_chance(&d->g->random, 30))
        PUT(d, " WHERE a = %d", (int)random_below(&d->g->random, 8));
}

/* ------------------------------------------------------- special tables -- */

static const table *find_table(draft *d, table_kind kind)
{
    const schema *s = &d->g->schema;

    for (size_t i = 0; i < s->ntables; i++) {
        if (s->tables[i].kind == kind)
            return &s->tables[i];
    }
    return NULL;
}

static void full_text(draft *d)
{
    const table *t = find_table(d, random_chance(&d->g->random, 60) ? TABLE_FTS : TABLE_FTS_EXTERNAL);
    const char *what;

    if (!t) {
        rows_by_condition(d);
        return;
    }
    what = PICK(d->g, "rowid", "rowid, b", "count(*)", "rowid, rank", "");
    PUT(d, "SELECT %s", what);
    if (!what[0])
        PUT(d, "rowid, highlight(%s, 0, '<', '>')", t->name);
    PUT(d, " FROM %s WHERE %s MATCH ", t->name, t->name);
    put_value(d, rsq_text(PICK(d->g, "ab", "cd", "a*", "b", "ab AND cd", "ef NOT ab")), VALUE_WORDS);
    PUT(d, " ORDER BY rowid");
    d->q.order = ORDER_TOTAL;
}

static void region(draft *d)
{
    if (!find_table(d, TABLE_RTREE)) {
        rows_by_key(d);
        return;
    }
    PUT(d, "SELECT id, x0, x1 FROM r1 WHERE x0 <= %d AND x1 >= %d ORDER BY id",
        (int)random_below(&d->g->random, 8), 4 + (int)random_below(&d->g->random, 9));
    d->q.order = ORDER_TOTAL;
}

static void json_rows(draft *d)
{
    const table *t = pick_ordinary(d);

    for (int i = 0; i < 8 && !find_column(t, VALUE_DOC); i++)
        t = pick_ordinary(d);
    if (!find_column(t, VALUE_DOC)) {
        PUT(d, "SELECT json_group_array(a ORDER BY %s) FROM %s", t->key, t->name);
        d->q.order = ORDER_TOTAL;
        return;
    }
    d->q.order = ORDER_TOTAL;
    switch (random_below(&d->g->random, 3)) {
    case 0:
        PUT(d,
            "SELECT p.%s, e.key, e.value FROM %s AS p, json_each(p.d, '$.l') AS e WHERE json_valid(p.d) "
            "ORDER BY 1, 2",
            key_of(t), t->name);
        d->q.order = ORDER_NONE;
        return;
    case 1:
        PUT(d, "SELECT %s, d ->> '$.k' FROM %s WHERE json_valid(d) ORDER BY %s", t->key, t->name, t->key);
        return;
    default:
        PUT(d, "SELECT %s, json_extract(d, '$.k') FROM %s ORDER BY %s", t->key, t->name,
            t->key); /* may fail */
        return;
    }
}

static void about_schema(draft *d)
{
    d->q.order = ORDER_TOTAL;
    switch (random_below(&d->g->random, 4)) {
    case 0:
        PUT(d, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
        return;
    case 1:
        PUT(d, "SELECT name, type FROM pragma_table_info('%s')", pick_table(d->g)->name);
        return;
    case 2:
        PUT(d, "SELECT count(*) FROM sqlite_schema");
        return;
    default:
        PUT(d, "PRAGMA user_version");
        return;
    }
}

static void constant(draft *d)
{
    PUT(d, "SELECT ");
    put_pick(d, VALUE_TEXT);
    PUT(d, ", 1 + 1");
    d->q.order = ORDER_TOTAL;
}

/* ------------------------------------------------------- choice -- */

typedef struct shape {
    void (*put)(draft *d);
    unsigned weight;
} shape;

static const shape shapes[] = {
    {rows_by_condition, 12},
    {rows_by_key, 14},
    {rows_by_column, 10},
    {gated_rows, 16},
    {whole_table, 5},
    {ordered_and_limited, 6},
    {some_rows, 2},
    {expression_rows, 5},
    {generated_rows, 14},
    {count_rows, 6},
    {aggregate, 6},
    {grouped, 4},
    {exists_row, 3},
    {distinct, 2},
    {window, 3},
    {inner_join, 6},
    {named_join, 5},
    {natural_join, 4},
    {in_subquery, 4},
    {scalar_subquery, 4},
    {compound, 3},
    {common_table, 4},
    {recursive_children, 2},
    {through_view, 5},
    {full_text, 6},
    {region, 2},
    {json_rows, 3},
    {about_schema, 1},
    {constant, 1},
    {keyed_rows, 34},
    {keyed_counts, 10},
    {keyed_pairs, 12},
    {keyed_joins, 14},
    {keyed_subqueries, 12},
};

static const shape *pick_shape(generator *g)
{
    size_t sum = 0, dice;

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        sum += shapes[i].weight;
    dice = random_below(&g->random, sum);
    for (size_t i = 0;; i++) {
        if (dice < shapes[i].weight)
            return &shapes[i];
        dice -= shapes[i].weight;
    }
}

size_t queries_generate(generator *g)
{
    draft d = {.g = g, .s = sqlite3_str_new(NULL), .q = {.order = ORDER_NONE}};

    pick_shape(g)->put(&d);
    d.q.sql = sqlite3_str_finish(d.s);
    d.q.mode = random_chance(&g->random, 30) ? RSQ_STREAM_DIFFERENCE : RSQ_STREAM_RESULT;
    if (random_chance(&g->random, 25))
        d.q.group = 1 + (uint32_t)random_below(&g->random, 2);
    if (random_chance(&g->random, 8))
        d.q.skip_origin = ORACLE_ORIGIN;
    return plan_add_query(g->plan, &d.q);
}
