/*
 * test_dispatch_bulkhead.c - how many threads each class of routes may hold, and all together.
 */
#include <pthread.h>

#include "app/adapter/dispatch_bulkhead.h"
#include "support.h"

static const enum bulkhead limited[] = {BULKHEAD_SLOW, BULKHEAD_BULK, BULKHEAD_PASSWORD};

/* How many more of a class find a place. They stay. */
static size_t fill(struct bulkheads *bulkheads, enum bulkhead class)
{
    size_t entered = 0;
    while (entered < 1000 && bulkhead_enter(bulkheads, class))
        entered++;
    return entered;
}

static void leave(struct bulkheads *bulkheads, enum bulkhead class, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bulkhead_leave(bulkheads, class);
}

static void every_class_has_its_limit(void **state)
{
    (void)state;
    static const struct {
        size_t threads, slow, bulk, password;
    } expected[] = {
        {1, 1, 1, 1}, {2, 1, 1, 1},   {3, 1, 1, 1},   {4, 1, 2, 2},
        {5, 1, 2, 2}, {6, 2, 3, 2},   {7, 3, 3, 2},   {8, 4, 4, 2},
        {9, 5, 4, 2}, {16, 12, 8, 2}, {17, 13, 8, 2}, {256, 252, 128, 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const size_t limits[] = {expected[i].slow, expected[i].bulk, expected[i].password};
        struct bulkheads bulkheads;
        bulkheads_init(&bulkheads, expected[i].threads);
        /* Twice: what leaves makes room again. */
        for (size_t k = 0; k < 6; k++) {
            assert_int_equal(fill(&bulkheads, limited[k % 3]), limits[k % 3]);
            leave(&bulkheads, limited[k % 3], limits[k % 3]);
        }
    }
}

static void together_they_leave_two_threads(void **state)
{
    (void)state;
    static const struct {
        size_t threads, together;
    } expected[] = {{1, 1}, {2, 1}, {3, 1}, {4, 2}, {6, 4}, {8, 6}, {16, 14}, {256, 254}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        for (size_t order = 0; order < 3; order++) {
            struct bulkheads bulkheads;
            size_t entered = 0;
            bulkheads_init(&bulkheads, expected[i].threads);
            for (size_t k = 0; k < 3; k++)
                entered += fill(&bulkheads, limited[(order + k) % 3]);
            assert_int_equal(entered, expected[i].together);
            /* One that finds no place takes none. */
            for (size_t k = 0; k < 3; k++)
                assert_false(bulkhead_enter(&bulkheads, limited[k]));
            bulkhead_leave(&bulkheads, limited[order]);
            assert_true(bulkhead_enter(&bulkheads, limited[order]));
        }
}

static void what_has_no_class_always_finds_a_place(void **state)
{
    (void)state;
    struct bulkheads bulkheads;
    bulkheads_init(&bulkheads, 4);
    assert_int_equal(fill(&bulkheads, BULKHEAD_BULK), 2);
    assert_int_equal(fill(&bulkheads, BULKHEAD_NONE), 1000);
    /* And takes none away. */
    leave(&bulkheads, BULKHEAD_BULK, 2);
    assert_int_equal(fill(&bulkheads, BULKHEAD_BULK), 2);
    leave(&bulkheads, BULKHEAD_NONE, 1000);
    assert_int_equal(fill(&bulkheads, BULKHEAD_BULK), 0);
}

/* ---- Many threads ---- */

enum { THREADS = 8, ROUNDS = 20000, BULK_PLACES = 4, PLACES = 6 };

struct crowd {
    struct bulkheads bulkheads;
    _Atomic size_t inside, bulk_inside, most, most_bulk, entered;
};

static void remember_most(_Atomic size_t *most, size_t now)
{
    size_t before = atomic_load(most);
    while (before < now && !atomic_compare_exchange_weak(most, &before, now))
        continue;
}

static void *come_and_go(void *context)
{
    struct crowd *crowd = context;
    for (size_t i = 0; i < ROUNDS; i++) {
        enum bulkhead class = limited[i % 3];
        bool bulk = class == BULKHEAD_BULK;
        if (!bulkhead_enter(&crowd->bulkheads, class))
            continue;
        atomic_fetch_add(&crowd->entered, 1);
        remember_most(&crowd->most, atomic_fetch_add(&crowd->inside, 1) + 1);
        if (bulk)
            remember_most(&crowd->most_bulk, atomic_fetch_add(&crowd->bulk_inside, 1) + 1);
        if (bulk)
            atomic_fetch_sub(&crowd->bulk_inside, 1);
        atomic_fetch_sub(&crowd->inside, 1);
        bulkhead_leave(&crowd->bulkheads, class);
    }
    return NULL;
}

static void many_threads_never_pass_a_limit(void **state)
{
    (void)state;
    struct crowd crowd = {.inside = 0};
    pthread_t threads[THREADS];
    bulkheads_init(&crowd.bulkheads, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(crowd.entered > 0);
    assert_in_range(crowd.most, 1, PLACES);
    assert_in_range(crowd.most_bulk, 1, BULK_PLACES);
    /* Everybody has left. */
    assert_int_equal(fill(&crowd.bulkheads, BULKHEAD_BULK), BULK_PLACES);
    assert_int_equal(fill(&crowd.bulkheads, BULKHEAD_SLOW), PLACES - BULK_PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_has_its_limit),
        cmocka_unit_test(together_they_leave_two_threads),
        cmocka_unit_test(what_has_no_class_always_finds_a_place),
        cmocka_unit_test(many_threads_never_pass_a_limit),
    };
    return cmocka_run_group_tests_name("dispatch_bulkhead", tests, NULL, NULL);
}
