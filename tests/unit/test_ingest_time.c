/*
 * test_ingest_time.c - times as senders write them, and local times of any zone.
 */
#include "tests/unit/support.h"
#include "tests/unit/support_chance.h"

#include "handlers/sensor/text/time_parse.h"
#include "handlers/sensor/text/time_zone.h"
#include "handlers/sensor/text/time_zone_rule.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Texts ---- */

static void every_form_of_a_time_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        bool has_offset;
    } cases[] = {
        {"2025-09-14 18:04:51-0600", 1757894691000, true},
        {"2025-09-14T18:04:51-06:00", 1757894691000, true},
        {"2025-09-15T00:04:51Z", 1757894691000, true},
        {"2025-09-15t00:04:51z", 1757894691000, true},
        {"2025-09-15T02:04:51+02:00", 1757894691000, true},
        {"2025-09-15T00:04:51-00:00", 1757894691000, true},
        {"2025-09-15T00:04:51.5Z", 1757894691500, true},
        {"2025-09-15T00:04:51.123Z", 1757894691123, true},
        {"2025-09-15T00:04:51,123Z", 1757894691123, true},
        {"2025-09-15T00:04:51.9999999Z", 1757894691999, true},
        {"2025-09-15 00:04:51", 1757894691000, false},
        {"2025-09-15T00:04:51.25", 1757894691250, false},
        {"1970-01-01T00:00:00Z", 0, true},
        {"1969-12-31T23:59:59.999Z", -1, true},
        {"2000-02-29T00:00:00Z", 951782400000, true},
        {"2016-12-31T23:59:60Z", 1483228800000, true},
        {"0000-01-01T00:00:00Z", -62167219200000, true},
        {"9999-12-31T23:59:59.999Z", 253402300799999, true},
        {"2025-09-15T00:04:51+23:59", 1757894691000 - 86340000, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parsed_time time = {0};
        if (!time_parse(view_of(cases[i].text), &time) || time.ms != cases[i].ms ||
            time.has_offset != cases[i].has_offset)
            fail_msg("%s: %lld", cases[i].text, (long long)time.ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "now",
        "1757894691",
        "2025-09-14",
        "2025-09-14 18:04",
        "2025-09-14 18:04:5",
        "2025-09-14  18:04:51",
        " 2025-09-14 18:04:51",
        "2025-09-14 18:04:51 ",
        "2025-09-14 18:04:51 -0600",
        "2025-09-14_18:04:51",
        "2025-9-14 18:04:51Z",
        "2025-00-14 18:04:51Z",
        "2025-13-14 18:04:51Z",
        "2025-02-29 18:04:51Z",
        "1900-02-29 18:04:51Z",
        "2025-04-31 18:04:51Z",
        "2025-09-00 18:04:51Z",
        "2025-09-14 24:00:00Z",
        "2025-09-14 18:60:00Z",
        "2025-09-14 18:04:61Z",
        "2025-09-14 18:04:51.Z",
        "2025-09-14 18:04:51.",
        "2025-09-14 18:04:51+06",
        "2025-09-14 18:04:51+0660",
        "2025-09-14 18:04:51+24:00",
        "2025-09-14 18:04:51+06:00x",
        "2025-09-14 18:04:51Zx",
        "2025-09-14 18:04:51 UTC",
        "-025-09-14 18:04:51Z",
        "+2025-09-14 18:04:51",
        "2025/09/14 18:04:51Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parsed_time time;
        if (time_parse(view_of(cases[i]), &time))
            fail_msg("\"%s\" was taken for %lld", cases[i], (long long)time.ms);
    }
    struct parsed_time time;
    assert_false(time_parse(VIEW("2025-09-14 18:04:51\0"), &time));
    assert_false(time_parse(VIEW_NONE, &time));
}

static void any_time_that_is_written_is_read_back(void **state)
{
    (void)state;
    chance_seed(7);
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)(chance_next() % 253402300800000);
        char text[CLOCK_RFC3339_SIZE];
        struct parsed_time time;
        clock_format_rfc3339(ms, text);
        assert_true(time_parse(view_of(text), &time));
        assert_true(time.has_offset);
        assert_int_equal(time.ms, ms);
    }
}

static void a_query_takes_epoch_text_and_distance(void **state)
{
    static const int64_t now = 1757894691000;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"1757894691123", 1757894691123},
        {"-5", -5},
        {"now", now},
        {"now-24h", now - 86400000},
        {"now-90m", now - 5400000},
        {"now-7d", now - 604800000},
        {"now-2w", now - 1209600000},
        {"now-30s", now - 30000},
        {"now-250ms", now - 250},
        {"now+1h", now + 3600000},
        {"2025-09-15T00:04:51Z", 1757894691000},
        {"2025-09-15 00:04:51", 1757894691000},
        {"2025-09-14T18:04:51-06:00", 1757894691000},
        {"2025-09-15T02:04:51 02:00", 1757894691000},
        {"2025-09-15T02:04:51.5 0200", 1757894691500},
    };
    static const char *const bad[] = {
        "",
        "yesterday",
        "now-",
        "now-h",
        "now-1x",
        "now-999999999y",
        "now24h",
        "now-1.5h",
        "nowish",
        "2025-09-14",
        "1e3",
        "now-99999999999w",
        "12345678901234567890",
    };
    int64_t ms = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!time_parse_query(view_of(cases[i].text), now, &ms) || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (time_parse_query(view_of(bad[i]), now, &ms))
            fail_msg("\"%s\" was taken for %lld", bad[i], (long long)ms);
    }
}

/* ---- Zones of the system ---- */

static const char *const zone_names[] = {
    "UTC",
    "America/Denver",
    "Europe/Berlin",
    "Europe/Dublin",        /* winter time is the one that is "saved" */
    "Australia/Lord_Howe",  /* half an hour */
    "Pacific/Apia",         /* lost a day */
    "Asia/Kathmandu",       /* 5:45 */
    "America/Sao_Paulo",    /* changed at midnight */
    "Africa/Casablanca",    /* goes back for Ramadan */
    "America/St_Johns",     /* changed one minute after midnight */
    "Antarctica/Troll",     /* two hours */
    "Asia/Gaza",            /* rules by table for decades ahead */
    "America/Scoresbysund", /* changes across midnight */
    "Africa/Monrovia",      /* seconds in its offset until 1972 */
};
enum { ZONE_COUNT = sizeof zone_names / sizeof zone_names[0] };

static struct time_zone *load(const char *name)
{
    struct error_record error = {0};
    struct time_zone *zone = time_zone_load(TIME_ZONE_DIRECTORY, view_of(name), &error);
    if (!zone)
        fail_msg("%s: %s %s", name, error_name(error.code), error.detail);
    return zone;
}

static int64_t random_second(void)
{
    static const int64_t year_1880 = INT64_C(-2840140800);
    static const uint64_t span = UINT64_C(7573996800);
    return year_1880 + (int64_t)(chance_next() % span); /* to 2120 */
}

static void offsets_are_those_of_the_c_library(void **state)
{
    (void)state;
    chance_seed(11);
    for (size_t i = 0; i < ZONE_COUNT; i++) {
        struct time_zone *zone = load(zone_names[i]);
        setenv("TZ", zone_names[i], 1);
        tzset();
        for (int n = 0; n < 4000; n++) {
            time_t second = (time_t)random_second();
            struct tm local;
            assert_non_null(localtime_r(&second, &local));
            if (local.tm_gmtoff != time_zone_offset_s(zone, second))
                fail_msg("%s at %lld: %d, not %ld", zone_names[i], (long long)second,
                         time_zone_offset_s(zone, second), local.tm_gmtoff);
        }
        time_zone_free(zone);
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

/* A moment with that local time by trying every offset there is around it; the earliest. */
static bool search_moment(const struct time_zone *zone, int64_t local_s, int64_t *utc_s)
{
    bool found = false;
    for (int64_t near = local_s - 93600; near <= local_s + 93600; near += 900) {
        int64_t candidate = local_s - time_zone_offset_s(zone, near);
        if (candidate + time_zone_offset_s(zone, candidate) != local_s)
            continue;
        *utc_s = found && *utc_s < candidate ? *utc_s : candidate;
        found = true;
    }
    return found;
}

static void local_times_are_their_first_moment(void **state)
{
    (void)state;
    chance_seed(13);
    for (size_t i = 0; i < ZONE_COUNT; i++) {
        struct time_zone *zone = load(zone_names[i]);
        for (int n = 0; n < 600; n++) {
            int64_t local_s = random_second(), expected;
            if (n % 2 == 0) { /* right at a change, where it matters */
                int64_t change = time_zone_next_change_s(zone, local_s);
                if (change != INT64_MAX)
                    local_s = change + time_zone_offset_s(zone, change) + chance(10800) - 5400;
            }
            int64_t got = time_zone_to_utc_ms(zone, local_s * 1000 + 7);
            if (search_moment(zone, local_s, &expected))
                assert_int_equal(got, expected * 1000 + 7);
            else /* skipped: an hour that never was lies behind the change */
                assert_true(time_zone_to_local_ms(zone, got) > local_s * 1000);
        }
        time_zone_free(zone);
    }
}

static void a_time_that_comes_twice_is_the_first_and_one_skipped_goes_on(void **state)
{
    (void)state;
    struct time_zone *denver = load("America/Denver");
    /* 2025-11-02 01:30 comes at -0600 and again at -0700. */
    assert_int_equal(time_zone_to_utc_ms(denver, 1762047000000),
                     1762047000000 + INT64_C(6) * 3600000);
    /* 2025-03-09 02:30 never was; with the offset before (-0700) it is 03:30 at -0600. */
    int64_t utc = time_zone_to_utc_ms(denver, 1741487400000);
    assert_int_equal(utc, 1741487400000 + INT64_C(7) * 3600000);
    assert_int_equal(time_zone_to_local_ms(denver, utc), 1741487400000 + 3600000);
    time_zone_free(denver);
    struct time_zone *apia = load("Pacific/Apia");
    /* 2011-12-30 never was there: noon of it, counted at -1000, is noon of the day after. */
    assert_int_equal(time_zone_to_utc_ms(apia, 1325246400000),
                     1325246400000 + INT64_C(10) * 3600000);
    time_zone_free(apia);
}

static void names_cannot_leave_the_directory(void **state)
{
    static const char *const names[] = {
        "",
        "../../etc/passwd",
        "/etc/passwd",
        "America/../UTC",
        ".hidden",
        "America//Denver",
        "America/",
        "Amer ica",
        "America/Denver\n",
        "right/../../x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct error_record error = {0};
        assert_null(time_zone_load(TIME_ZONE_DIRECTORY, view_of(names[i]), &error));
        assert_int_equal(error.code, HEARTH_BAD_REQUEST);
    }
    struct error_record error = {0};
    assert_null(time_zone_load(TIME_ZONE_DIRECTORY, VIEW("Nowhere/Atlantis"), &error));
    assert_int_equal(error.code, HEARTH_NOT_FOUND);
    assert_null(time_zone_load(TIME_ZONE_DIRECTORY, VIEW("tzdata.zi"), &error));
    assert_int_not_equal(error.code, HEARTH_OK);
}

static void a_zone_is_loaded_once(void **state)
{
    (void)state;
    struct time_zones *zones = time_zones_new(TIME_ZONE_DIRECTORY);
    assert_non_null(zones);
    const struct time_zone *first = time_zones_find(zones, VIEW("Europe/Berlin"), NULL);
    assert_non_null(first);
    assert_ptr_equal(time_zones_find(zones, VIEW("Europe/Berlin"), NULL), first);
    assert_ptr_not_equal(time_zones_find(zones, VIEW("UTC"), NULL), first);
    assert_null(time_zones_find(zones, VIEW("../x"), NULL));
    time_zones_free(zones);
}

static void *find_all(void *context)
{
    static _Atomic(const struct time_zone *) found[ZONE_COUNT];
    struct time_zones *zones = context;
    for (size_t round = 0; round < 200; round++) {
        size_t i = round % ZONE_COUNT;
        const struct time_zone *zone = time_zones_find(zones, view_of(zone_names[i]), NULL);
        const struct time_zone *before = atomic_exchange(&found[i], zone);
        if (!zone || (before && before != zone) || time_zone_offset_s(zone, 0) > 50400)
            return zones;
    }
    return NULL;
}

static void threads_share_the_zones(void **state)
{
    pthread_t threads[8];
    void *failed;
    (void)state;
    struct time_zones *zones = time_zones_new(TIME_ZONE_DIRECTORY);
    assert_non_null(zones);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_all, zones), 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    time_zones_free(zones);
}

/* ---- Rules ---- */

static void rules_beyond_the_table_hold(void **state)
{
    static const struct {
        const char *text;
        int64_t utc_s;
        int offset_s;
    } cases[] = {
        {"<+0545>-5:45", 0, 20700},
        {"MST7MDT,M3.2.0,M11.1.0", 4070908800, -25200},   /* 2099-01-01 */
        {"MST7MDT,M3.2.0,M11.1.0", 4086547200, -21600},   /* 2099-07-01 */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 4070908800, 0},    /* Dublin in winter */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 4086547200, 3600}, /* and in summer */
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 4070908800, 39600},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 4086547200, 36000},
        {"EST5EDT,0/0,J365/25", 4070908800, -14400}, /* daylight time all year */
        {"EST5EDT,0/0,J365/25", 4086547200, -14400},
        {"XXX3YYY,J60,J300", 951868800, -10800}, /* 2000-03-01 00:00Z: before 02:00 local */
        {"XXX3YYY,J60,J300", 951890400, -7200},  /* 06:00Z; a leap year's J60 is March 1 */
        {"XXX3YYY,59,300", 951804000, -7200},    /* 59 is February 29 there */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 4086547200, -3600},
    };
    static const char *const bad[] = {
        "",
        "X",
        "XX5",
        "EST",
        "EST25",
        "EST5EDT",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,",
        "<+05",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,J365",
        "EST5EDT,366,1",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST5EDT,M3.2.0,M11.1.0x",
        "EST5:60",
        "EST5x",
    };
    struct time_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!time_rule_parse(view_of(cases[i].text), &rule) ||
            time_rule_offset_s(&rule, cases[i].utc_s) != cases[i].offset_s)
            fail_msg("%s at %lld", cases[i].text, (long long)cases[i].utc_s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (time_rule_parse(view_of(bad[i]), &rule))
            fail_msg("\"%s\" was taken for a rule", bad[i]);
    }
}

/* ---- Files by hand ---- */

static void put_header(struct buffer *out, char version, const unsigned char counts[6])
{
    buffer_append(out, VIEW("TZif"));
    buffer_append_byte(out, version);
    for (int i = 0; i < 15; i++)
        buffer_append_byte(out, '\0');
    for (int i = 0; i < 6; i++) {
        buffer_append(out, VIEW("\0\0\0"));
        buffer_append_byte(out, (char)counts[i]);
    }
}

/* One change, from +1 h to +2 h at second 256; `wide` with 8-byte times. */
static void put_block(struct buffer *out, char version, bool wide)
{
    static const unsigned char counts[6] = {0, 0, 0, 1, 2, 4};
    put_header(out, version, counts);
    if (wide)
        buffer_append(out, VIEW("\0\0\0\0"));
    buffer_append(out, VIEW("\0\0\1\0"));
    buffer_append_byte(out, 1);
    buffer_append(out, VIEW("\0\0\x0e\x10\0\0"));
    buffer_append(out, VIEW("\0\0\x1c\x20\0\0"));
    buffer_append(out, VIEW("AAA\0"));
}

static void put_file(struct buffer *out, char version)
{
    buffer_init(out, 4096);
    put_block(out, version, false);
    if (version == '\0')
        return;
    put_block(out, version, true);
    buffer_append(out, VIEW("\nAAA-3\n"));
}

static void old_and_new_files_are_read(void **state)
{
    struct buffer file;
    (void)state;
    for (int version = 0; version < 2; version++) {
        put_file(&file, version ? '2' : '\0');
        struct time_zone *zone = time_zone_parse(buffer_view(&file), NULL);
        assert_non_null(zone);
        assert_int_equal(time_zone_offset_s(zone, 255), 3600);
        /* The rule behind the last change, if there is one, else the last type. */
        assert_int_equal(time_zone_offset_s(zone, 256), version ? 10800 : 7200);
        assert_int_equal(time_zone_next_change_s(zone, 0), 256);
        assert_int_equal(time_zone_next_change_s(zone, 256), INT64_MAX);
        time_zone_free(zone);
        buffer_clean(&file);
    }
}

/* A copy of its own size, so that the sanitizer sees a read beyond. */
static struct time_zone *parse_copy(struct view bytes)
{
    char *copy = malloc(bytes.length + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes.data, bytes.length);
    struct time_zone *zone = time_zone_parse(view_from(copy + 1, bytes.length), NULL);
    free(copy);
    return zone;
}

static void a_damaged_file_is_refused_or_harmless(void **state)
{
    struct buffer file;
    (void)state;
    put_file(&file, '2');
    for (size_t length = 0; length < file.length; length++)
        assert_null(parse_copy(view_from(file.data, length)));
    for (size_t i = 0; i < file.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file.data[i] = (char)(file.data[i] ^ 1 << bit);
            struct time_zone *zone = parse_copy(buffer_view(&file));
            if (zone)
                (void)time_zone_to_utc_ms(zone, 1757894691000);
            time_zone_free(zone);
            file.data[i] = (char)(file.data[i] ^ 1 << bit);
        }
    }
    buffer_clean(&file);
}

static void files_that_lie_are_refused(void **state)
{
    static const unsigned char no_types[6] = {0, 0, 0, 0, 0, 0}, leap[6] = {0, 0, 1, 0, 1, 1};
    struct buffer file;
    (void)state;
    buffer_init(&file, 4096);
    put_header(&file, '\0', no_types);
    assert_null(time_zone_parse(buffer_view(&file), NULL));
    buffer_reset(&file);
    put_header(&file, '\0', leap); /* a "right" zone counts leap seconds */
    buffer_append(&file, VIEW("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    assert_null(time_zone_parse(buffer_view(&file), NULL));
    buffer_clean(&file);
    put_file(&file, '\0');
    file.data[44 + 4] = 2; /* a type that is not there */
    assert_null(time_zone_parse(buffer_view(&file), NULL));
    file.data[44 + 4] = 1;
    file.data[44 + 5] = 0x7f; /* an offset of years */
    assert_null(time_zone_parse(buffer_view(&file), NULL));
    buffer_clean(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_time_is_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(any_time_that_is_written_is_read_back),
        cmocka_unit_test(a_query_takes_epoch_text_and_distance),
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(local_times_are_their_first_moment),
        cmocka_unit_test(a_time_that_comes_twice_is_the_first_and_one_skipped_goes_on),
        cmocka_unit_test(names_cannot_leave_the_directory),
        cmocka_unit_test(a_zone_is_loaded_once),
        cmocka_unit_test(threads_share_the_zones),
        cmocka_unit_test(rules_beyond_the_table_hold),
        cmocka_unit_test(old_and_new_files_are_read),
        cmocka_unit_test(a_damaged_file_is_refused_or_harmless),
        cmocka_unit_test(files_that_lie_are_refused),
    };
    return cmocka_run_group_tests_name("ingest_time", tests, NULL, NULL);
}
