/*
 * test_record.c - the 96 bits of a reading: the published vectors, the bounds of every field, and
 * properties over random readings.
 */
#include "support.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/record.h"

enum { RANDOM_READINGS = 20000 };

/* Small, and the same on every machine. */
static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct reading random_reading(void)
{
    uint64_t bits = random_bits();
    int humidity = (int)(random_bits() % 102);
    return (struct reading){
        .time_ms = (int64_t)(random_bits() & (uint64_t)READING_TIME_MAX_MS),
        .channel = (int)(bits & 15) + 1,
        .rolling_code = (int)(bits >> 4 & 255),
        .scale = (enum reading_scale)(bits >> 12 & 1),
        .raw = (int)(bits >> 13 & 4095),
        .humidity = humidity == 101 ? HUMIDITY_ABSENT : humidity,
        .battery_low = bits >> 25 & 1,
        .signal = (int)(bits >> 26 & 127),
        .relay = bits >> 33 & 1,
        .occupied = bits >> 34 & 1,
        .time_quality = (enum time_quality)(bits >> 35 & 3),
    };
}

static void assert_reading_equal(const struct reading *a, const struct reading *b)
{
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->channel, b->channel);
    assert_int_equal(a->rolling_code, b->rolling_code);
    assert_int_equal(a->scale, b->scale);
    assert_int_equal(a->raw, b->raw);
    assert_int_equal(a->humidity, b->humidity);
    assert_int_equal(a->battery_low, b->battery_low);
    assert_int_equal(a->signal, b->signal);
    assert_int_equal(a->relay, b->relay);
    assert_int_equal(a->occupied, b->occupied);
    assert_int_equal(a->time_quality, b->time_quality);
}

/* ---- The published vectors ---- */

static struct json_object *load_vectors(void)
{
    struct json_object *vectors =
        json_object_from_file(HEARTH_SOURCE_DIR "/tests/data/record-vectors.json");
    assert_non_null(vectors);
    return vectors;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    assert_true(json_object_object_get_ex(object, name, &value));
    return value;
}

static int field(struct json_object *fields, const char *name)
{
    return json_object_get_int(member(fields, name));
}

static struct reading reading_of(struct json_object *fields)
{
    assert_int_equal(field(fields, "version"), 0);
    return (struct reading){
        .time_ms = json_object_get_int64(member(fields, "time_ms")),
        .channel = field(fields, "channel_minus_1") + 1,
        .rolling_code = field(fields, "rolling_code"),
        .scale = (enum reading_scale)field(fields, "scale"),
        .raw = field(fields, "raw"),
        .humidity = field(fields, "humidity"),
        .battery_low = field(fields, "battery_low") != 0,
        .signal = field(fields, "signal"),
        .relay = field(fields, "relay") != 0,
        .occupied = field(fields, "occupied") != 0,
        .time_quality = (enum time_quality)field(fields, "time_quality"),
    };
}

static struct record record_of(struct json_object *vector)
{
    struct record record;
    const char *hex = json_object_get_string(member(vector, "hex"));
    assert_int_equal(strlen(hex), 2 * RECORD_BYTES);
    for (size_t i = 0; i < RECORD_BYTES; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        record.bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return record;
}

static void every_published_vector_is_met_both_ways(void **state)
{
    (void)state;
    struct json_object *file = load_vectors(), *vectors = member(file, "vectors");
    size_t count = json_object_array_length(vectors);
    assert_true(count >= 16);
    for (size_t i = 0; i < count; i++) {
        struct json_object *vector = json_object_array_get_idx(vectors, i);
        struct reading expected = reading_of(member(vector, "fields")), decoded;
        struct record given = record_of(vector), encoded;
        assert_int_equal(record_encode(&expected, &encoded), REJECT_NONE);
        assert_memory_equal(encoded.bytes, given.bytes, RECORD_BYTES);
        assert_int_equal(record_decode(&given, &decoded), REJECT_NONE);
        assert_reading_equal(&decoded, &expected);
    }
    json_object_put(file);
}

static void every_published_invalid_record_is_refused_for_its_reason(void **state)
{
    (void)state;
    struct json_object *file = load_vectors(), *vectors = member(file, "invalid");
    size_t count = json_object_array_length(vectors);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        struct json_object *vector = json_object_array_get_idx(vectors, i);
        struct record given = record_of(vector);
        struct reading untouched = {.time_ms = 7}, decoded = untouched;
        const char *why = json_object_get_string(member(vector, "why"));
        enum record_reject expected =
            strcmp(why, "version") == 0 ? REJECT_VERSION : REJECT_CHECKSUM;
        assert_int_equal(record_decode(&given, &decoded), expected);
        assert_int_equal(record_check(&given), expected);
        assert_memory_equal(&decoded, &untouched, sizeof decoded);
    }
    json_object_put(file);
}

static void the_checksum_has_its_check_value(void **state)
{
    (void)state;
    assert_int_equal(record_checksum("123456789", 9), 0xDF);
    assert_int_equal(record_checksum("", 0), 0);
    assert_int_equal(record_checksum("\0\0\0\0\0\0\0\0\0\0", 11), 0x77);
}

/* ---- Bounds ---- */

/* A reading that fits, with one member set by `set` to the value. */
typedef void set_fn(struct reading *reading, int64_t value);

static void set_time(struct reading *reading, int64_t value)
{
    reading->time_ms = value;
}

static void set_channel(struct reading *reading, int64_t value)
{
    reading->channel = (int)value;
}

static void set_code(struct reading *reading, int64_t value)
{
    reading->rolling_code = (int)value;
}

static void set_raw(struct reading *reading, int64_t value)
{
    reading->raw = (int)value;
}

static void set_humidity(struct reading *reading, int64_t value)
{
    reading->humidity = (int)value;
}

static void set_signal(struct reading *reading, int64_t value)
{
    reading->signal = (int)value;
}

static void every_field_takes_its_bounds_and_no_more(void **state)
{
    static const struct {
        set_fn *set;
        int64_t value;
        enum record_reject expected;
    } cases[] = {
        {set_time, 0, REJECT_NONE},
        {set_time, READING_TIME_MAX_MS, REJECT_NONE},
        {set_time, -1, REJECT_TIME_RANGE},
        {set_time, READING_TIME_MAX_MS + 1, REJECT_TIME_RANGE},
        {set_time, INT64_MIN, REJECT_TIME_RANGE},
        {set_time, INT64_MAX, REJECT_TIME_RANGE},
        {set_channel, 1, REJECT_NONE},
        {set_channel, 16, REJECT_NONE},
        {set_channel, 0, REJECT_CHANNEL_RANGE},
        {set_channel, 17, REJECT_CHANNEL_RANGE},
        {set_channel, -1, REJECT_CHANNEL_RANGE},
        {set_code, 0, REJECT_NONE},
        {set_code, 255, REJECT_NONE},
        {set_code, -1, REJECT_ROLLING_CODE_RANGE},
        {set_code, 256, REJECT_ROLLING_CODE_RANGE},
        {set_raw, 0, REJECT_NONE},
        {set_raw, 4094, REJECT_NONE},
        {set_raw, RAW_ABSENT, REJECT_NONE},
        {set_raw, -1, REJECT_TEMPERATURE_RANGE},
        {set_raw, 4096, REJECT_TEMPERATURE_RANGE},
        {set_humidity, 0, REJECT_NONE},
        {set_humidity, 100, REJECT_NONE},
        {set_humidity, HUMIDITY_ABSENT, REJECT_NONE},
        {set_humidity, 101, REJECT_HUMIDITY_RANGE},
        {set_humidity, 126, REJECT_HUMIDITY_RANGE},
        {set_humidity, 128, REJECT_HUMIDITY_RANGE},
        {set_humidity, -1, REJECT_HUMIDITY_RANGE},
        {set_signal, 0, REJECT_NONE},
        {set_signal, 127, REJECT_NONE},
        {set_signal, 128, REJECT_SIGNAL_RANGE},
        {set_signal, -1, REJECT_SIGNAL_RANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading = {.time_ms = 1, .channel = 1}, decoded;
        struct record untouched = {{1, 2, 3}}, record = untouched;
        cases[i].set(&reading, cases[i].value);
        assert_int_equal(record_encode(&reading, &record), cases[i].expected);
        if (cases[i].expected == REJECT_NONE) {
            assert_int_equal(record_decode(&record, &decoded), REJECT_NONE);
            assert_reading_equal(&decoded, &reading);
        } else {
            assert_memory_equal(&record, &untouched, sizeof record);
        }
    }
}

static void a_stored_humidity_above_a_hundred_is_refused(void **state)
{
    (void)state;
    struct reading reading = {.time_ms = 1757894691000, .channel = 1}, decoded;
    for (int humidity = 0; humidity <= 127; humidity++) {
        struct record record;
        assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
        /* bits 26..20 */
        record.bytes[8] = (unsigned char)((record.bytes[8] & 0xF8) | humidity >> 4);
        record.bytes[9] = (unsigned char)((record.bytes[9] & 0x0F) | (humidity & 15) << 4);
        record.bytes[11] = record_checksum(record.bytes, 11);
        bool fits = humidity <= 100 || humidity == HUMIDITY_ABSENT;
        assert_int_equal(record_decode(&record, &decoded),
                         fits ? REJECT_NONE : REJECT_HUMIDITY_RANGE);
        if (fits)
            assert_int_equal(decoded.humidity, humidity);
    }
}

static void the_version_is_looked_at_first(void **state)
{
    (void)state;
    struct reading reading = {.time_ms = 1, .channel = 1};
    struct record record;
    assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
    for (unsigned version = 1; version <= 3; version++) {
        record.bytes[0] = (unsigned char)(version << 6);
        assert_int_equal(record_check(&record), REJECT_VERSION); /* and its checksum is wrong */
        record.bytes[11] = record_checksum(record.bytes, 11);
        assert_int_equal(record_check(&record), REJECT_VERSION);
    }
}

static void every_reason_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(record_reject_name(REJECT_NONE), "NONE");
    assert_string_equal(record_reject_name(REJECT_CHECKSUM), "CHECKSUM");
    assert_string_equal(record_reject_name(REJECT_HUMIDITY_RANGE), "HUMIDITY_RANGE");
    assert_string_equal(record_reject_name(REJECT_NOT_JSON), "NOT_JSON");
    assert_string_equal(record_reject_name(REJECT_COUNT), "UNKNOWN");
}

/* ---- Properties ---- */

static void random_readings_come_back_as_they_went(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_READINGS; i++) {
        struct reading reading = random_reading(), decoded;
        struct record record, again;
        assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
        assert_int_equal(record_decode(&record, &decoded), REJECT_NONE);
        assert_reading_equal(&decoded, &reading);
        assert_int_equal(record_encode(&decoded, &again), REJECT_NONE);
        assert_memory_equal(&again, &record, sizeof record);
        assert_int_equal(record_time_ms(&record), reading.time_ms);
        assert_int_equal(record_channel(&record), reading.channel);
        assert_int_equal(record_rolling_code(&record), reading.rolling_code);
        assert_int_equal(record_time_quality(&record), reading.time_quality);
    }
}

static void the_order_of_bytes_is_the_order_of_times(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_READINGS; i++) {
        struct reading a = random_reading(), b = random_reading();
        struct record first, second;
        if (i % 2)
            b.time_ms = a.time_ms + (int64_t)(random_bits() % 3) - 1; /* close neighbours */
        if (record_encode(&a, &first) || record_encode(&b, &second))
            continue;
        int order = memcmp(&first, &second, sizeof first);
        if (a.time_ms != b.time_ms)
            assert_int_equal(order < 0, a.time_ms < b.time_ms);
    }
}

static void every_flipped_bit_shows(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct reading reading = random_reading();
        struct record record;
        assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
        for (int bit = 0; bit < 8 * RECORD_BYTES; bit++) {
            struct record flipped = record;
            flipped.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_int_not_equal(record_check(&flipped), REJECT_NONE);
        }
    }
}

static void two_records_are_the_same_but_for_time_quality_and_checksum(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct reading reading = random_reading();
        struct record record;
        assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
        for (int bit = 0; bit < 8 * RECORD_BYTES; bit++) {
            struct record other = record;
            /* bit 0 of the loop is bit 95 of the record */
            other.bytes[bit / 8] ^= (unsigned char)(128 >> bit % 8);
            assert_int_equal(record_same(&record, &other), 95 - bit < 10);
        }
    }
}

/* ---- Sorting ---- */

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

/* Patterns as live files have them, and worse. */
static void make_pattern(struct record *records, size_t count, int pattern)
{
    for (size_t i = 0; i < count; i++) {
        struct reading reading = random_reading();
        size_t place = i;
        if (pattern == 1)
            place = count - i; /* backwards */
        if (pattern == 2 && random_bits() % 100 == 0)
            place = i / 2; /* a late one */
        if (pattern == 3)
            place = i % 1000; /* long runs */
        if (pattern == 4)
            place = random_bits() % 8; /* many alike */
        if (pattern == 5)
            place = (i & 1) ? i : count - i;
        reading.time_ms =
            pattern == 6 ? reading.time_ms : INT64_C(1757894691000) + (int64_t)place * 1000;
        assert_int_equal(record_encode(&reading, &records[i]), REJECT_NONE);
    }
}

static void records_are_sorted_whatever_their_order_was(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 23, 24, 25, 49, 1000, 10007};
    (void)state;
    for (int pattern = 0; pattern <= 6; pattern++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            struct record *records = calloc(counts[i] + 1, sizeof *records);
            struct record *expected = calloc(counts[i] + 1, sizeof *expected);
            make_pattern(records, counts[i], pattern);
            memcpy(expected, records, counts[i] * sizeof *records);
            qsort(expected, counts[i], sizeof *expected, compare_records);
            assert_int_equal(record_sort(records, counts[i]), HEARTH_OK);
            assert_memory_equal(records, expected, counts[i] * sizeof *records);
            free(records);
            free(expected);
        }
    }
}

static void of_the_same_readings_one_is_left(void **state)
{
    (void)state;
    struct reading reading = {.time_ms = 5000, .channel = 3};
    struct record records[6];
    static const enum time_quality qualities[] = {TIME_SENDER, TIME_SERVER, TIME_IMPORTED};
    for (size_t i = 0; i < 3; i++) {
        reading.time_quality = qualities[i];
        assert_int_equal(record_encode(&reading, &records[i]), REJECT_NONE);
    }
    reading.raw = 1;
    reading.time_quality = TIME_SENDER;
    assert_int_equal(record_encode(&reading, &records[3]), REJECT_NONE);
    records[4] = records[3];
    reading.time_ms++;
    assert_int_equal(record_encode(&reading, &records[5]), REJECT_NONE);
    struct record first = records[0], second = records[3], third = records[5];
    assert_int_equal(record_unique(records, 6), 3);
    assert_memory_equal(&records[0], &first, sizeof first);
    assert_memory_equal(&records[1], &second, sizeof second);
    assert_memory_equal(&records[2], &third, sizeof third);
    assert_int_equal(record_unique(records, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_published_vector_is_met_both_ways),
        cmocka_unit_test(every_published_invalid_record_is_refused_for_its_reason),
        cmocka_unit_test(the_checksum_has_its_check_value),
        cmocka_unit_test(every_field_takes_its_bounds_and_no_more),
        cmocka_unit_test(a_stored_humidity_above_a_hundred_is_refused),
        cmocka_unit_test(the_version_is_looked_at_first),
        cmocka_unit_test(every_reason_has_its_name),
        cmocka_unit_test(random_readings_come_back_as_they_went),
        cmocka_unit_test(the_order_of_bytes_is_the_order_of_times),
        cmocka_unit_test(every_flipped_bit_shows),
        cmocka_unit_test(two_records_are_the_same_but_for_time_quality_and_checksum),
        cmocka_unit_test(records_are_sorted_whatever_their_order_was),
        cmocka_unit_test(of_the_same_readings_one_is_left),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
