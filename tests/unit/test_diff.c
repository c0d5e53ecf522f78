/*
 * Differences of results: cases by hand, and random pairs whose difference is applied to the old rows and
 * must give the new ones, whatever the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "result/diff.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SEED UINT64_C(0xd1ff0001)

static const char *const names[] = {"id", "a", "b"};

/* A result of `rows` rows whose cells are copied. */
static rsq_result *make(const rsq_value *cells, size_t rows, size_t columns)
{
    rsq_result *r = rsq_result_new(rows * columns * sizeof *cells);

    assert_non_null(r);
    if (rows)
        memcpy(rsq_result_extra(r), cells, rows * columns * sizeof *cells);
    r->head.rows = rows;
    r->head.columns = columns;
    r->head.cells = (const rsq_value *)(const void *)rsq_result_extra(r);
    r->columns = rsq_columns_new(names, (uint32_t)columns);
    assert_non_null(r->columns);
    return r;
}

static rsq_columns *key_of(const char *name)
{
    rsq_columns *key = name ? rsq_columns_new(&name, 1) : NULL;

    assert_true(!name || key);
    return key;
}

/* The difference as text: "i2 d0 u1>2(1) m3>0()". */
static char *describe(const rsq_diff *d)
{
    static char text[512];
    int at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < d->count; i++) {
        const rsq_change *c = &d->changes[i];
        int room = (int)sizeof text - at;

        at += snprintf(text + at, (size_t)room, "%s", i ? " " : "");
        if (c->kind == RSQ_CHANGE_INSERT)
            at += snprintf(text + at, (size_t)room, "i%zu", c->to);
        else if (c->kind == RSQ_CHANGE_DELETE)
            at += snprintf(text + at, (size_t)room, "d%zu", c->from);
        else
            at += snprintf(text + at, (size_t)room, "%c%zu>%zu(", c->kind == RSQ_CHANGE_MOVE ? 'm' : 'u',
                           c->from, c->to);
        for (uint32_t k = 0; k < c->ncolumns; k++)
            at += snprintf(text + at, (size_t)room, "%s%u", k ? "," : "", c->columns[k]);
        if (c->kind == RSQ_CHANGE_UPDATE || c->kind == RSQ_CHANGE_MOVE)
            at += snprintf(text + at, (size_t)room, ")");
    }
    return text;
}

/* Rows of (id, value): ids as digits, the value is `value` of all rows but where a capital follows. */
static rsq_result *rows_of(const char *ids)
{
    rsq_value cells[64];
    size_t n = 0;

    for (const char *p = ids; *p; p++) {
        cells[n++] = rsq_integer(*p - '0');
        cells[n++] = rsq_integer(p[1] == '*' ? 1 : 0);
        if (p[1] == '*')
            p++;
    }
    return make(cells, n / 2, 2);
}

/* What the rules say, case by case; keyed by id unless the key is empty. */
static void by_hand(void **state)
{
    static const struct {
        const char *before, *after, *key, *expected;
    } cases[] = {
        {"", "", "id", ""},
        {"", "12", "id", "i0 i1"},
        {"12", "", "id", "d1 d0"},
        {"123", "123", "id", ""},
        {"123", "13", "id", "d1"},
        {"13", "123", "id", "i1"},
        {"123", "12*3", "id", "u1>1(1)"},
        {"1234", "4123", "id", "m3>0()"},
        {"1234", "2341", "id", "m0>3()"},
        {"1234", "4*123", "id", "m3>0(1)"},
        {"123", "456", "id", "d2 d1 d0 i0 i1 i2"},
        {"1234", "1543", "id", "d1 i1 m3>2()"},
        /* without a key no row is ever changed */
        {"123", "12*3", NULL, "d1 i1"},
        {"1234", "4123", NULL, "m3>0()"},
        /* keys that are not unique: the n-th is the n-th */
        {"11", "111", "id", "i2"},
        {"111*", "11", "id", "d2"},
        /* a name that is no column is no key */
        {"123", "12*3", "nowhere", "d1 i1"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        rsq_result *before = rows_of(cases[i].before), *after = rows_of(cases[i].after);
        rsq_columns *key = key_of(cases[i].key);
        rsq_diff *d = rsq_diff_new(before, after, key);

        assert_non_null(d);
        if (strcmp(describe(d), cases[i].expected) != 0)
            fail_msg("%s to %s: %s, expected %s", cases[i].before, cases[i].after, describe(d),
                     cases[i].expected);
        rsq_diff_unref(d);
        rsq_columns_unref(key);
        rsq_result_unref(before);
        rsq_result_unref(after);
    }
}

/* Without names the columns count that the result marks. */
static void marked_key(void **state)
{
    rsq_result *before = rows_of("12"), *after = rows_of("12*");
    rsq_diff *d;

    (void)state;
    rsq_columns_mark_key(after->columns, 0);
    d = rsq_diff_new(before, after, NULL);
    assert_non_null(d);
    assert_string_equal(describe(d), "u1>1(1)");
    rsq_diff_unref(d);
    rsq_result_unref(before);
    rsq_result_unref(after);
}

static void columns_differ(void **state)
{
    const rsq_value cells[6] = {{0}};
    rsq_result *two = make(cells, 3, 2), *three = make(cells, 2, 3);

    (void)state;
    assert_false(rsq_diff_is_possible(two, three));
    assert_true(rsq_diff_is_possible(two, two));
    rsq_result_unref(two);
    rsq_result_unref(three);
}

/* As rsq_change says: take out, put in, change. The rows of `after` are only looked at where the difference
 * says so. */
static rsq_result *apply(const rsq_diff *d)
{
    size_t columns = d->before->head.columns, old_rows = d->before->head.rows, rows = old_rows;
    bool *out = calloc(old_rows + 1, sizeof *out);
    rsq_value *cells;
    rsq_result *r;
    size_t next = 0, at = 0, i;

    assert_non_null(out);
    for (i = 0; i < d->count; i++) {
        const rsq_change *c = &d->changes[i];

        if (c->kind == RSQ_CHANGE_DELETE || c->kind == RSQ_CHANGE_MOVE) {
            assert_true(c->from < old_rows && !out[c->from]);
            out[c->from] = true;
        }
        rows += c->kind == RSQ_CHANGE_INSERT;
        rows -= c->kind == RSQ_CHANGE_DELETE;
    }
    cells = calloc(rows * columns + 1, sizeof *cells);
    assert_non_null(cells);
    for (i = 0; i < d->count && d->changes[i].kind == RSQ_CHANGE_DELETE; i++)
        assert_true(i == 0 || d->changes[i].from < d->changes[i - 1].from);
    for (; at < rows; at++) {
        const rsq_change *c = i < d->count && d->changes[i].to == at ? &d->changes[i++] : NULL;
        size_t from;

        if (c && c->kind == RSQ_CHANGE_INSERT) {
            memcpy(cells + at * columns, d->after->head.cells + at * columns, columns * sizeof *cells);
            continue;
        }
        if (c && c->kind == RSQ_CHANGE_MOVE) {
            from = c->from;
        } else {
            while (next < old_rows && out[next])
                next++;
            from = next++;
            assert_true(!c || c->from == from);
        }
        assert_true(from < old_rows);
        memcpy(cells + at * columns, d->before->head.cells + from * columns, columns * sizeof *cells);
        for (uint32_t k = 0; c && k < c->ncolumns; k++)
            cells[at * columns + c->columns[k]] = d->after->head.cells[at * columns + c->columns[k]];
    }
    assert_int_equal(i, d->count);
    r = make(cells, rows, columns);
    free(cells);
    free(out);
    return r;
}

static rsq_value random_value(uint64_t *seed)
{
    static const char *const texts[] = {"", "x", "xy"};
    uint64_t n = next_random(seed);

    switch (n % 5) {
    case 0:
        return rsq_null();
    case 1:
        return rsq_text(texts[n / 8 % LENGTH(texts)]);
    case 2:
        return rsq_real((double)(n / 8 % 2));
    default:
        return rsq_integer((int64_t)(n / 8 % 3));
    }
}

/* A random descendant of `cells`: rows taken out, put in, moved and changed. Returns the number of rows. */
static size_t mutate(rsq_value *cells, size_t rows, size_t most, uint64_t *seed)
{
    size_t steps = next_random(seed) % 8;

    while (steps-- > 0) {
        size_t at = rows ? next_random(seed) % rows : 0, to = rows ? next_random(seed) % rows : 0;
        rsq_value row[3];

        switch (next_random(seed) % 4) {
        case 0: /* in */
            if (rows == most)
                break;
            memmove(cells + 3 * (at + 1), cells + 3 * at, (rows - at) * sizeof row);
            cells[3 * at] = rsq_integer((int64_t)(next_random(seed) % 40));
            cells[3 * at + 1] = random_value(seed);
            cells[3 * at + 2] = random_value(seed);
            rows++;
            break;
        case 1: /* out */
            if (rows == 0)
                break;
            memmove(cells + 3 * at, cells + 3 * (at + 1), (rows - at - 1) * sizeof row);
            rows--;
            break;
        case 2: /* to another place */
            if (rows == 0)
                break;
            memcpy(row, cells + 3 * at, sizeof row);
            memmove(cells + 3 * at, cells + 3 * (at + 1), (rows - at - 1) * sizeof row);
            memmove(cells + 3 * (to + 1), cells + 3 * to, (rows - to - 1) * sizeof row);
            memcpy(cells + 3 * to, row, sizeof row);
            break;
        default:
            if (rows)
                cells[3 * at + 1 + next_random(seed) % 2] = random_value(seed);
        }
    }
    return rows;
}

static void check_pair(const rsq_value *a, size_t na, const rsq_value *b, size_t nb, const char *name)
{
    rsq_result *before = make(a, na, 3), *after = make(b, nb, 3), *applied;
    rsq_columns *key = key_of(name);
    rsq_diff *d = rsq_diff_new(before, after, key);

    assert_non_null(d);
    applied = apply(d);
    assert_true(rsq_result_equal(applied, after));
    assert_true((d->count == 0) == rsq_result_equal(before, after));
    rsq_result_unref(applied);
    rsq_diff_unref(d);
    rsq_columns_unref(key);
    rsq_result_unref(before);
    rsq_result_unref(after);
}

/* Old rows and the difference give the new rows: pairs that are near to each other, and pairs that are not.
 */
static void applied_gives_the_new_rows(void **state)
{
    static const char *const keys[] = {NULL, "id", "a", "b"};
    enum { MOST = 40 };
    rsq_value old[3 * (MOST + 1)], new[3 * (MOST + 1)];
    uint64_t seed = SEED;
    size_t rows = 0;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        size_t before = rows;

        memcpy(old, new, sizeof old);
        if (round % 16 == 0) {
            for (size_t i = 0; i < 3 * MOST; i++)
                new[i] = random_value(&seed);
            rows = next_random(&seed) % (MOST + 1);
        } else {
            rows = mutate(new, rows, MOST, &seed);
        }
        check_pair(old, round ? before : 0, new, rows, keys[next_random(&seed) % LENGTH(keys)]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(marked_key),
        cmocka_unit_test(columns_differ),
        cmocka_unit_test(applied_gives_the_new_rows),
    };

    return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
