/*
 * reading_store_model_suite.c - a reading store beside a model of a few lines, under random work,
 * across seals and openings: what came first stays, ranges are a filter and a sort.
 */
#include "reading_store_suite.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 400, POOL = 3000, BATCH = 40 };

struct model {
    struct record records[POOL]; /* as they came first */
    size_t count;
    int64_t newest_ms;
};

static bool is_suspect(const struct record *record)
{
    struct reading reading;
    assert_int_equal(record_decode(record, &reading), REJECT_NONE);
    return reading.time_quality == TIME_SUSPECT;
}

static bool model_add(struct model *model, const struct record *record)
{
    for (size_t i = 0; i < model->count; i++)
        if (record_same(&model->records[i], record))
            return false;
    model->records[model->count++] = *record;
    if (!is_suspect(record) && record_time_ms(record) > model->newest_ms)
        model->newest_ms = record_time_ms(record);
    return true;
}

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

static bool in_range(const struct reading_range *range, const struct record *record)
{
    int64_t time_ms = record_time_ms(record);
    return time_ms >= range->from_ms && time_ms < range->to_ms &&
           (range->channel == 0 || record_channel(record) == range->channel) &&
           (range->rolling_code < 0 || record_rolling_code(record) == range->rolling_code) &&
           (range->with_suspect || !is_suspect(record));
}

static void check_range(struct suite_store *suite, const struct model *model,
                        const struct reading_range *range)
{
    struct record expected[POOL];
    struct suite_list list;
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++)
        if (in_range(range, &model->records[i]))
            expected[count++] = model->records[i];
    qsort(expected, count, sizeof expected[0], compare_records);
    suite_range(suite, range, &list);
    assert_int_equal(list.count, count);
    assert_memory_equal(list.records, expected, count * sizeof expected[0]);
    suite_list_clean(&list);
}

static void check_series(struct suite_store *suite, const struct model *model)
{
    struct reading_series series[64];
    struct latest_reading latest[64];
    size_t count, latest_count;
    uint64_t total = 0, expected_total = 0;
    assert_int_equal(suite->store->series(suite->store, series, 64, &count, NULL), HEARTH_OK);
    assert_int_equal(suite->store->latest(suite->store, latest, 64, &latest_count, NULL),
                     HEARTH_OK);
    assert_int_equal(count, latest_count);
    for (size_t i = 0; i < model->count; i++)
        expected_total += !is_suspect(&model->records[i]);
    for (size_t i = 0; i < count; i++) {
        struct reading_series expected = {series[i].channel, series[i].rolling_code, INT64_MAX, -1,
                                          0};
        struct record newest = {{0}};
        for (size_t k = 0; k < model->count; k++) {
            const struct record *record = &model->records[k];
            if (record_channel(record) != expected.channel ||
                record_rolling_code(record) != expected.rolling_code || is_suspect(record))
                continue;
            int64_t time_ms = record_time_ms(record);
            expected.first_ms = time_ms < expected.first_ms ? time_ms : expected.first_ms;
            expected.last_ms = time_ms > expected.last_ms ? time_ms : expected.last_ms;
            expected.count++;
            if (memcmp(record, &newest, sizeof newest) > 0)
                newest = *record;
        }
        assert_int_equal(series[i].first_ms, expected.first_ms);
        assert_int_equal(series[i].last_ms, expected.last_ms);
        assert_int_equal(series[i].count, expected.count);
        assert_int_equal(latest[i].count, expected.count);
        assert_memory_equal(&latest[i].record, &newest, sizeof newest);
        total += series[i].count;
    }
    assert_int_equal(total, expected_total);
}

static void append_randomly(struct suite_store *suite, struct model *model,
                            struct suite_random *random)
{
    struct record batch[BATCH];
    size_t count = suite_random(random) % BATCH, accepted = 0, bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t kind = suite_random(random) % 10;
        struct reading reading = suite_random_reading(random);
        batch[i] = suite_record(&reading);
        if (kind == 0) {
            batch[i].bytes[suite_random(random) % RECORD_BYTES] ^= 0x04;
            bad++;
            continue;
        }
        if (kind <= 3 && model->count > 0) /* again, with another time quality */
            assert_int_equal(
                record_decode(&model->records[suite_random(random) % model->count], &reading),
                REJECT_NONE);
        reading.time_quality = (enum time_quality)(suite_random(random) & 3);
        batch[i] = suite_record(&reading);
        accepted += model_add(model, &batch[i]);
    }
    struct append_result result = suite_append(suite, batch, count);
    assert_int_equal(result.accepted, accepted);
    assert_int_equal(result.duplicate, count - accepted - bad);
    assert_int_equal(result.quarantined, bad);
}

static void read_randomly(struct suite_store *suite, const struct model *model,
                          struct suite_random *random)
{
    int64_t from = INT64_C(1757894691000) + (int64_t)(suite_random(random) % 1000000);
    const struct reading_range range = {
        .from_ms = suite_random(random) % 4 ? from : 0,
        .to_ms =
            suite_random(random) % 4 ? from + (int64_t)(suite_random(random) % 500000) : INT64_MAX,
        .channel = (int)(suite_random(random) % 5),
        .rolling_code = (int)(suite_random(random) % 5) - 1,
        .with_suspect = suite_random(random) & 1,
    };
    check_range(suite, model, &range);
}

void a_naive_model_agrees(void **state)
{
    struct suite_store *suite = *state;
    struct suite_random random = {0xC0FFEE};
    struct model *model = calloc(1, sizeof *model);
    struct store_state now;
    model->newest_ms = -1;
    for (int step = 0; step < STEPS && model->count < POOL - BATCH; step++) {
        append_randomly(suite, model, &random);
        read_randomly(suite, model, &random);
        if (step % 20 == 0)
            check_series(suite, model);
        if (suite_random(&random) % 12 == 0)
            suite_seal(suite);
        if (step % 50 == 49)
            suite_reopen(suite);
        assert_int_equal(suite->store->state(suite->store, &now, NULL), HEARTH_OK);
        assert_int_equal(now.readings, model->count);
        assert_int_equal(now.newest_ms, model->newest_ms);
    }
    assert_true(model->count > 1000);
    free(model);
}
