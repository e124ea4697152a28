/*
 * test_live_identity.c - the table that finds duplicates, beside a plain search; and what the
 * keeper publishes, read while it is written.
 */
#include "support_live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "handlers/sensor/live/identity.h"
#include "handlers/sensor/live/live_published.h"

enum { MANY = 50000 };

struct shelf {
    struct record records[MANY];
    int asked;
    bool unreadable;
};

static const struct record *record_at(void *context, uint32_t number)
{
    struct shelf *shelf = context;
    shelf->asked++;
    return shelf->unreadable ? NULL : &shelf->records[number];
}

static int setup(void **state)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    for (int i = 0; i < MANY; i++)
        shelf->records[i] = live_reading(i);
    *state = shelf;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void insert(struct identity *identity, const struct shelf *shelf, uint32_t number)
{
    assert_int_equal(identity_reserve(identity, 1), HEARTH_OK);
    identity_insert(identity, &shelf->records[number], number);
}

static void everything_inserted_is_known_and_nothing_else(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    identity_init(&identity, record_at, shelf);
    assert_int_equal(identity_find(&identity, &shelf->records[0]), IDENTITY_NEW);
    for (uint32_t i = 0; i < MANY; i += 2)
        insert(&identity, shelf, i);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(identity_find(&identity, &shelf->records[i]),
                         i % 2 == 0 ? IDENTITY_KNOWN : IDENTITY_NEW);
    assert_int_equal(identity.used, MANY / 2);
    identity_clean(&identity);
}

static void a_reading_is_known_by_its_identity_bits(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    struct reading reading;
    identity_init(&identity, record_at, shelf);
    insert(&identity, shelf, 7);
    assert_int_equal(record_decode(&shelf->records[7], &reading), REJECT_NONE);
    for (int quality = 0; quality < 4; quality++) {
        reading.time_quality = (enum time_quality)quality;
        struct record again = live_reading_of(&reading);
        assert_int_equal(identity_find(&identity, &again), IDENTITY_KNOWN);
    }
    reading.occupied = !reading.occupied;
    struct record other = live_reading_of(&reading);
    assert_int_equal(identity_find(&identity, &other), IDENTITY_NEW);
    identity_clean(&identity);
}

static void a_table_can_be_emptied_and_filled_again(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    identity_init(&identity, record_at, shelf);
    for (uint32_t round = 0; round < 6; round++) {
        uint32_t first = round * 1000, count = round % 2 == 0 ? 1000 : 10; /* large and small */
        for (uint32_t i = first; i < first + count; i++)
            insert(&identity, shelf, i);
        for (uint32_t i = first; i < first + count; i++)
            assert_int_equal(identity_find(&identity, &shelf->records[i]), IDENTITY_KNOWN);
        identity_clear(&identity);
        assert_int_equal(identity.used, 0);
        for (uint32_t i = first; i < first + count; i++)
            assert_int_equal(identity_find(&identity, &shelf->records[i]), IDENTITY_NEW);
    }
    identity_clean(&identity);
}

static void a_miss_hardly_ever_reads_a_record(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    identity_init(&identity, record_at, shelf);
    assert_int_equal(identity_reserve(&identity, MANY), HEARTH_OK);
    for (uint32_t i = 0; i < MANY / 2; i++)
        insert(&identity, shelf, i);
    shelf->asked = 0;
    for (uint32_t i = MANY / 2; i < MANY; i++)
        assert_int_equal(identity_find(&identity, &shelf->records[i]), IDENTITY_NEW);
    assert_true(shelf->asked < MANY / 2 / 50);
    shelf->asked = 0;
    for (uint32_t i = 0; i < MANY / 2; i++)
        assert_int_equal(identity_find(&identity, &shelf->records[i]), IDENTITY_KNOWN);
    assert_in_range(shelf->asked, MANY / 2, MANY / 2 + MANY / 50);
    identity_clean(&identity);
}

static void growing_that_fails_changes_nothing(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    identity_init(&identity, record_at, shelf);
    for (uint32_t i = 0; i < 700; i++)
        insert(&identity, shelf, i);
    size_t capacity = identity.capacity;
    for (int allowed = 0; allowed < 3; allowed++) {
        memory_fail_after(allowed);
        assert_int_equal(identity_reserve(&identity, 5000), HEARTH_NO_MEMORY);
        memory_fail_after(-1);
    }
    shelf->unreadable = true;
    assert_int_equal(identity_reserve(&identity, 5000), HEARTH_IO);
    assert_int_equal(identity_find(&identity, &shelf->records[3]), IDENTITY_UNREADABLE);
    shelf->unreadable = false;
    assert_int_equal(identity.capacity, capacity);
    for (uint32_t i = 0; i < 700; i++)
        assert_int_equal(identity_find(&identity, &shelf->records[i]), IDENTITY_KNOWN);
    assert_int_equal(identity_reserve(&identity, 5000), HEARTH_OK);
    assert_true(identity.capacity > capacity);
    identity_clean(&identity);
}

static void a_reading_takes_few_bytes_of_the_table(void **state)
{
    struct shelf *shelf = *state;
    struct identity identity;
    identity_init(&identity, record_at, shelf);
    for (uint32_t i = 0; i < MANY; i++)
        insert(&identity, shelf, i);
    size_t bytes = identity.capacity * (sizeof *identity.numbers + sizeof *identity.tags);
    assert_true(bytes <=
                (size_t)MANY * 14); /* 5 bytes a place, three eighths to three quarters full */
    identity_clean(&identity);
}

/* ---- What is published ---- */

struct broadcast {
    struct live_published published;
    _Atomic bool stop;
    _Atomic int torn, read;
};

/* Every member follows from the first: a mixture shows. */
static struct live_state state_of(uint64_t number)
{
    return (struct live_state){
        .sequence = number,
        .synced_bytes = number * 3,
        .generation = number * 5,
        .file_generation = number * 7,
        .readings = number * 11,
        .stored_bytes = number * 13,
        .newest_ms = (int64_t)number * 17,
    };
}

static bool is_whole(const struct live_state *got)
{
    const struct live_state wanted = state_of(got->sequence);
    return got->synced_bytes == wanted.synced_bytes && got->generation == wanted.generation &&
           got->file_generation == wanted.file_generation && got->readings == wanted.readings &&
           got->stored_bytes == wanted.stored_bytes && got->newest_ms == wanted.newest_ms;
}

static void *listen(void *argument)
{
    struct broadcast *broadcast = argument;
    uint64_t last = 0;
    while (!atomic_load(&broadcast->stop)) {
        struct live_state got;
        if (!live_published_get(&broadcast->published, &got))
            continue;
        if (!is_whole(&got) || got.sequence < last)
            atomic_fetch_add(&broadcast->torn, 1);
        last = got.sequence;
        atomic_fetch_add(&broadcast->read, 1);
    }
    return NULL;
}

static void a_reader_never_sees_half_of_what_is_published(void **state)
{
    struct broadcast broadcast = {0};
    struct live_state got;
    pthread_t threads[3];
    (void)state;
    assert_false(live_published_get(&broadcast.published, &got));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, listen, &broadcast), 0);
    for (uint64_t number = 1; number < 50000 || broadcast.read < 1000; number++) {
        struct live_state next = state_of(number);
        live_publish(&broadcast.published, &next);
    }
    atomic_store(&broadcast.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(broadcast.torn, 0);
}

#define SHELF_STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHELF_STORY(everything_inserted_is_known_and_nothing_else),
        SHELF_STORY(a_reading_is_known_by_its_identity_bits),
        SHELF_STORY(a_table_can_be_emptied_and_filled_again),
        SHELF_STORY(a_miss_hardly_ever_reads_a_record),
        SHELF_STORY(growing_that_fails_changes_nothing),
        SHELF_STORY(a_reading_takes_few_bytes_of_the_table),
        cmocka_unit_test(a_reader_never_sees_half_of_what_is_published),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
