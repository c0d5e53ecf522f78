/*
 * The schedule of live queries by time, against a list that is searched: what comes first is due first,
 * whatever was put, moved and removed before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "random.h"
#include "stream/schedule.h"

#define SEED UINT64_C(0x5c4ed001)
#define LIVES 200

static int64_t earliest(const rsq_live *lives)
{
    int64_t due_ns = INT64_MAX;

    for (size_t i = 0; i < LIVES; i++) {
        if (lives[i].place && lives[i].due_ns < due_ns)
            due_ns = lives[i].due_ns;
    }
    return due_ns;
}

static void first_is_due_first(void **state)
{
    rsq_live *lives = calloc(LIVES, sizeof *lives);
    rsq_schedule s = {0};
    uint64_t seed = SEED;
    size_t in = 0;

    (void)state;
    assert_non_null(lives);
    assert_true(rsq_schedule_reserve(&s, LIVES));
    assert_null(rsq_schedule_first(&s));
    for (int n = 0; n < 100000; n++) {
        rsq_live *live = &lives[next_random(&seed) % LIVES];

        in -= live->place > 0;
        if (next_random(&seed) % 3) {
            rsq_schedule_put(&s, live, (int64_t)(next_random(&seed) % 1000));
            in++;
        } else {
            rsq_schedule_remove(&s, live);
        }
        assert_int_equal(s.count, in);
        assert_true(in == 0 || rsq_schedule_first(&s)->due_ns == earliest(lives));
    }
    while (s.count > 0) {
        assert_true(rsq_schedule_first(&s)->due_ns == earliest(lives));
        rsq_schedule_remove(&s, rsq_schedule_first(&s));
    }
    rsq_schedule_fini(&s);
    free(lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_is_due_first),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
