/* Tables by number: what the names and the sets of sql/tables.h promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "sql/tables.h"

/* C09: a name is the same in any letters and at any address, and in another schema another one. */
static void names(void **state)
{
    rsq_tables ts = {0};
    char table[] = "cities";
    int n = rsq_tables_number(&ts, "main", table);

    (void)state;
    assert_true(n >= 0);
    assert_int_equal(rsq_tables_number(&ts, "main", table), n);
    assert_int_equal(rsq_tables_number(&ts, "MAIN", "Cities"), n);
    assert_int_not_equal(rsq_tables_number(&ts, "mai", table), n);
    assert_int_not_equal(rsq_tables_number(&ts, "main2", table), n);
    assert_int_not_equal(rsq_tables_number(&ts, "other", table), n);
    /* The address is another table's, as after a change of the schema. */
    table[0] = 'C', table[5] = 'z';
    assert_int_not_equal(rsq_tables_number(&ts, "main", table), n);
    /* It is called as it was named last: it may have been dropped and made again. */
    assert_string_equal(ts.names[n].text, "main.Cities");
    rsq_tables_fini(&ts);
}

static void sets(void **state)
{
    rsq_table_bits a = {0}, b = {0};

    (void)state;
    assert_true(rsq_table_bits_empty(&a));
    rsq_table_bits_add(&a, 3);
    rsq_table_bits_add(&a, 700);
    rsq_table_bits_merge(&b, &a);
    rsq_table_bits_add(&b, RSQ_TABLES_MAX - 1);
    assert_int_equal(rsq_table_bits_next(&b, 0), 3);
    assert_int_equal(rsq_table_bits_next(&b, 4), 700);
    assert_int_equal(rsq_table_bits_next(&b, 701), RSQ_TABLES_MAX - 1);
    assert_int_equal(rsq_table_bits_next(&b, RSQ_TABLES_MAX), -1);
    assert_false(b.all);
    rsq_table_bits_clear(&b);
    assert_true(rsq_table_bits_empty(&b));
    assert_int_equal(rsq_table_bits_next(&b, 0), -1);
    rsq_table_bits_add(&b, -1);
    assert_true(b.all && !rsq_table_bits_empty(&b));
    rsq_table_bits_merge(&a, &b);
    assert_true(a.all);
}

/* What does not fit is not numbered, and many names are forgotten when nobody needs them. */
static void limits(void **state)
{
    rsq_tables ts = {0};
    char table[16];

    (void)state;
    for (int i = 0; i < RSQ_TABLES_MAX; i++) {
        (void)snprintf(table, sizeof table, "t%d", i);
        assert_int_equal(rsq_tables_number(&ts, "main", table), i);
    }
    assert_int_equal(rsq_tables_number(&ts, "main", "one more"), -1);
    assert_int_equal(rsq_tables_number(&ts, "main", "t77"), 77);
    rsq_tables_trim(&ts);
    assert_int_equal(rsq_tables_number(&ts, "main", "one more"), 0);
    rsq_tables_trim(&ts);
    assert_int_equal(rsq_tables_number(&ts, "main", "one more"), 0);
    rsq_tables_fini(&ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(sets),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
