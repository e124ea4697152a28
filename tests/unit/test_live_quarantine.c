/*
 * test_live_quarantine.c - the quarantine's files: their lines, torn ones, a full file, a failing
 * disk, what a recovery finds in them.
 */
#include "support_live.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/live/quarantine.h"

struct ward {
    struct live_case live;
    struct quarantine *quarantine;
};

static void ward_open(struct ward *ward)
{
    struct error_record error = {0};
    assert_int_equal(quarantine_open(&ward->live.faults.files, ward->live.options.directory,
                                     &ward->live.clock.clock, &ward->quarantine, &error),
                     HEARTH_OK);
}

static int setup(void **state)
{
    struct ward *ward = calloc(1, sizeof *ward);
    live_case_init(&ward->live);
    ward_open(ward);
    *state = ward;
    return 0;
}

static int teardown(void **state)
{
    struct ward *ward = *state;
    quarantine_close(ward->quarantine);
    live_case_clean(&ward->live);
    free(ward);
    return 0;
}

static void add(struct ward *ward, const char *text)
{
    assert_int_equal(
        quarantine_add(ward->quarantine, &(struct quarantine_entry){.reason = "NOT_JSON",
                                                                    .source = VIEW("json"),
                                                                    .raw = view_of(text)}),
        HEARTH_OK);
}

static enum hearth_error commit(struct ward *ward)
{
    return quarantine_commit(ward->quarantine, NULL);
}

static void file_path(const struct ward *ward, int number, char path[4096])
{
    snprintf(path, 4096, "%s/quarantine/%08d.ndjson", ward->live.options.directory, number);
}

static off_t file_size(const struct ward *ward, int number)
{
    char path[4096];
    struct stat status;
    file_path(ward, number, path);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

static void expect_count(const struct ward *ward, const char *text, size_t times)
{
    char *all = live_quarantine_text(&ward->live);
    if (live_count_text(all, text) != times)
        fail_msg("%s is not there %zu times:\n%.2000s", text, times, all);
    free(all);
}

/* ---- Lines ---- */

static struct json_object *line_of(const struct quarantine_entry *entry)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(quarantine_line(&out, entry, INT64_C(1757894691123)), HEARTH_OK);
    assert_int_equal(out.data[out.length - 1], '\n');
    assert_null(memchr(out.data, '\n', out.length - 1));
    out.data[out.length - 1] = '\0';
    struct json_object *line = json_tokener_parse(out.data);
    buffer_clean(&out);
    assert_non_null(line);
    return line;
}

static const char *text_of(struct json_object *line, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(line, name, &value) ? json_object_get_string(value) : NULL;
}

static void a_line_says_when_why_whence_and_what(void **state)
{
    (void)state;
    struct json_object *line =
        line_of(&(struct quarantine_entry){.reason = "HUMIDITY_RANGE",
                                           .source = VIEW("js\"on"),
                                           .raw = VIEW("{\"humidity\": 101}\n")});
    assert_string_equal(text_of(line, "time"), "2025-09-15T00:04:51.123Z");
    assert_string_equal(text_of(line, "reason"), "HUMIDITY_RANGE");
    assert_string_equal(text_of(line, "source"), "js\"on");
    assert_string_equal(text_of(line, "count"), "1");
    assert_string_equal(text_of(line, "raw"), "{\"humidity\": 101}\n");
    assert_null(text_of(line, "sequence"));
    assert_null(text_of(line, "part"));
    json_object_put(line);
    line = line_of(&(struct quarantine_entry){.reason = "CHECKSUM",
                                              .source = VIEW("recovery"),
                                              .raw = {"\xFF\xFE", 2},
                                              .count = 1000,
                                              .in_live = true,
                                              .sequence = 7,
                                              .slot = 12,
                                              .part = 2,
                                              .parts = 3,
                                              .id = 0xABC});
    assert_string_equal(text_of(line, "sequence"), "7");
    assert_string_equal(text_of(line, "slot"), "12");
    assert_string_equal(text_of(line, "count"), "1000");
    assert_string_equal(text_of(line, "part"), "2");
    assert_string_equal(text_of(line, "id"), "0000000000000abc");
    assert_null(text_of(line, "raw"));
    assert_string_equal(text_of(line, "raw_base64"), "//4=");
    json_object_put(line);
}

static void any_text_comes_back_byte_for_byte(void **state)
{
    (void)state;
    for (int first = 0; first < 256; first++) {
        char raw[3] = {(char)first, 'x', '\0'};
        struct json_object *line = line_of(&(struct quarantine_entry){
            .reason = "NOT_JSON", .source = VIEW("json"), .raw = {raw, 2}});
        struct json_object *value;
        if ((first >= ' ' && first < 0x7F) || (first != 0 && strchr("\b\t\n\f\r", first))) {
            assert_true(json_object_object_get_ex(line, "raw", &value));
            assert_int_equal(json_object_get_string_len(value), 2);
            assert_memory_equal(json_object_get_string(value), raw, 2);
        } else {
            assert_non_null(text_of(line, "raw_base64"));
        }
        json_object_put(line);
    }
}

/* Six characters for a control byte, or two for a quote, would let a sender choose how fast the
 * disk fills. */
static void no_text_takes_more_room_than_base64(void **state)
{
    static const char texts[][4] = {"\0\0\0", "\1\2\3",       "\"\"\"",    "\\\\\\",
                                    "\n\n\n", "\x7F\x7F\x7F", "\xC2\x80n", "abc"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char raw[3000];
        struct buffer out;
        for (size_t at = 0; at < sizeof raw; at++)
            raw[at] = texts[i][at % 3];
        buffer_init(&out, 1 << 20);
        assert_int_equal(quarantine_line(&out,
                                         &(struct quarantine_entry){.reason = "NOT_JSON",
                                                                    .source = VIEW("json"),
                                                                    .raw = {raw, sizeof raw}},
                                         0),
                         HEARTH_OK);
        assert_in_range(out.length, sizeof raw, sizeof raw / 3 * 4 + 120);
        buffer_clean(&out);
    }
}

static void base64_is_that_of_the_rfc(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buffer out;
        buffer_init(&out, 100);
        assert_int_equal(quarantine_base64(&out, view_of(vectors[i][0])), HEARTH_OK);
        assert_true(view_equal(buffer_view(&out), view_of(vectors[i][1])));
        buffer_clean(&out);
    }
}

/* ---- Files ---- */

static void lines_are_appended_in_one_sync(void **state)
{
    struct ward *ward = *state;
    add(ward, "one.");
    add(ward, "two.");
    assert_true(quarantine_waits(ward->quarantine));
    int syncs = ward->live.faults.syncs;
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_false(quarantine_waits(ward->quarantine));
    assert_int_equal(ward->live.faults.syncs, syncs + 1);
    assert_int_equal(commit(ward), HEARTH_OK); /* nothing to do */
    assert_int_equal(ward->live.faults.syncs, syncs + 1);
    add(ward, "three.");
    quarantine_drop(ward->quarantine);
    add(ward, "four.");
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(live_quarantine_lines(&ward->live), 3);
    expect_count(ward, "three.", 0);
    expect_count(ward, "four.", 1);
}

static void a_torn_line_is_cut_before_the_next_is_appended(void **state)
{
    struct ward *ward = *state;
    char path[4096], *torn = malloc(200001);
    static const size_t lengths[] = {1, 100, 65535, 65536, 65537, 200000};
    add(ward, "whole.");
    assert_int_equal(commit(ward), HEARTH_OK);
    off_t whole = file_size(ward, 1);
    file_path(ward, 1, path);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(torn, 'x', lengths[i]);
        FILE *file = fopen(path, "ab");
        assert_non_null(file);
        assert_int_equal(fwrite(torn, 1, lengths[i], file), lengths[i]);
        fclose(file);
        quarantine_close(ward->quarantine);
        ward_open(ward);
        add(ward, "next.");
        assert_int_equal(commit(ward), HEARTH_OK);
        expect_count(ward, "xxx", 0);
        assert_int_equal(truncate(path, whole), 0);
        quarantine_close(ward->quarantine);
        ward_open(ward);
        expect_count(ward, "whole.", 1);
    }
    free(torn);
}

static void a_full_file_is_followed_by_the_next(void **state)
{
    struct ward *ward = *state;
    char *large = malloc(3000001);
    memset(large, 'y', 3000000);
    large[3000000] = '\0';
    for (int i = 0; i < 4; i++) {
        add(ward, large);
        assert_int_equal(commit(ward), HEARTH_OK);
    }
    assert_true(file_size(ward, 1) > 8 << 20);
    assert_true(file_size(ward, 2) > 0);
    assert_int_equal(file_size(ward, 3), -1);
    quarantine_close(ward->quarantine);
    ward_open(ward);
    off_t before = file_size(ward, 2);
    add(ward, "after a restart.");
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_true(file_size(ward, 2) > before);
    free(large);
}

static void after_a_failed_sync_the_next_file_is_taken(void **state)
{
    struct ward *ward = *state;
    add(ward, "before.");
    assert_int_equal(commit(ward), HEARTH_OK);
    off_t before = file_size(ward, 1);
    ward->live.faults.kind = FAULT_ERRNO;
    ward->live.faults.number = EIO;
    ward->live.faults.fail_at = ward->live.faults.calls + 2; /* write, sync */
    add(ward, "during.");
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_string_equal(ward->live.faults.log, "fdatasync");
    assert_int_equal(file_size(ward, 1), before);
    assert_true(file_size(ward, 2) > 0);
    expect_count(ward, "during.", 1);
}

static void remove_files(const struct ward *ward, bool directory_too)
{
    char path[4096];
    for (int number = 1; number < 4; number++) {
        file_path(ward, number, path);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/quarantine", ward->live.options.directory);
    if (directory_too)
        assert_int_equal(rmdir(path), 0);
}

static void nothing_is_promised_into_a_removed_file(void **state)
{
    struct ward *ward = *state;
    for (int directory_too = 0; directory_too < 2; directory_too++) {
        add(ward, "before.");
        assert_int_equal(commit(ward), HEARTH_OK);
        remove_files(ward, directory_too);
        add(ward, "after.");
        assert_int_equal(commit(ward), HEARTH_OK);
        expect_count(ward, "after.", 1);
        add(ward, "later.");
        assert_int_equal(commit(ward), HEARTH_OK);
        expect_count(ward, "after.", 1);
        expect_count(ward, "later.", 1);
        remove_files(ward, false);
    }
}

static size_t files_in_quarantine(const struct ward *ward)
{
    size_t count = 0;
    for (int number = 1; number < 50; number++)
        count += file_size(ward, number) >= 0;
    return count;
}

static void a_disk_that_fails_for_long_gets_no_file_for_each_commit(void **state)
{
    struct ward *ward = *state;
    add(ward, "one");
    assert_int_equal(commit(ward), HEARTH_OK);
    ward->live.faults.fail_each_sync = 1;
    for (int second = 0; second < 3; second++) {
        add(ward, "two");
        assert_int_equal(commit(ward), HEARTH_IO);
        int syncs = ward->live.faults.syncs;
        for (int i = 0; i < 10; i++) {
            add(ward, "three");
            assert_int_equal(commit(ward), HEARTH_UNAVAILABLE);
        }
        assert_int_equal(ward->live.faults.syncs, syncs);
        clock_manual_advance_ms(&ward->live.clock, 1000);
    }
    assert_int_equal(files_in_quarantine(ward), 1);
    ward->live.faults.fail_each_sync = 0;
    add(ward, "four");
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(live_quarantine_lines(&ward->live), 2);
}

static void a_full_disk_is_told_and_the_file_stays_whole(void **state)
{
    struct ward *ward = *state;
    add(ward, "before.");
    assert_int_equal(commit(ward), HEARTH_OK);
    ward->live.faults.full = true;
    add(ward, "lost.");
    assert_int_equal(commit(ward), HEARTH_DISK_FULL);
    assert_false(quarantine_waits(ward->quarantine));
    ward->live.faults.full = false;
    add(ward, "after.");
    assert_int_equal(commit(ward), HEARTH_OK);
    expect_count(ward, "lost.", 0);
    assert_int_equal(live_quarantine_lines(&ward->live), 2);
    assert_int_equal(file_size(ward, 2), -1);
}

static void what_does_not_fit_leaves_the_others_in_place(void **state)
{
    struct ward *ward = *state;
    size_t length = 40u << 20;
    char *large = malloc(length + 1);
    memset(large, 'z', length);
    large[length] = '\0';
    add(ward, "small.");
    add(ward, large);
    assert_int_equal(
        quarantine_add(ward->quarantine, &(struct quarantine_entry){.reason = "NOT_JSON",
                                                                    .source = VIEW("json"),
                                                                    .raw = {large, length}}),
        HEARTH_BODY_TOO_LARGE);
    add(ward, "last.");
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(live_quarantine_lines(&ward->live), 3);
    expect_count(ward, "last.", 1);
    free(large);
}

/* ---- Reading back ---- */

#define SLOT       "twelve bytes"
#define OTHER_SLOT "other bytes."

static void add_run_of(struct ward *ward, uint64_t sequence, uint64_t slot, uint64_t count,
                       struct view raw)
{
    assert_int_equal(
        quarantine_add(ward->quarantine, &(struct quarantine_entry){.reason = "CHECKSUM",
                                                                    .source = VIEW("recovery"),
                                                                    .raw = raw,
                                                                    .count = count,
                                                                    .in_live = true,
                                                                    .sequence = sequence,
                                                                    .slot = slot}),
        HEARTH_OK);
}

static void add_run(struct ward *ward, uint64_t sequence, uint64_t slot, uint64_t count)
{
    add_run_of(ward, sequence, slot, count, VIEW(SLOT));
}

static enum hearth_error read_back(const struct ward *ward, struct quarantined_runs *runs)
{
    return quarantine_known(&file_system, ward->live.options.directory, runs, NULL);
}

static void slots_quarantined_before_are_found_again(void **state)
{
    struct ward *ward = *state;
    struct quarantined_runs runs;
    add_run(ward, 7, 100, 10);
    add_run(ward, 3, 5, 1);
    add(ward, "{\"source\":\"recovery\",\"sequence\":7,\"slot\":1,\"count\":50}");
    add_run(ward, 7, 0, 1);
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(read_back(ward, &runs), HEARTH_OK);
    assert_int_equal(runs.count, 3);
    static const struct {
        uint64_t sequence, slot;
        bool known;
    } cases[] = {{7, 100, true}, {7, 109, true}, {7, 110, false}, {7, 99, false},
                 {7, 0, true},   {7, 1, false},  {3, 5, true},    {3, 4, false},
                 {3, 6, false},  {4, 5, false},  {1, 0, false},   {8, 100, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(quarantined_runs_have(&runs, cases[i].sequence, cases[i].slot, VIEW(SLOT)),
                         cases[i].known);
    quarantined_runs_clean(&runs);
}

static void a_slot_is_known_with_the_bytes_it_had(void **state)
{
    struct ward *ward = *state;
    struct quarantined_runs runs;
    static const char zeros[QUARANTINED_SLOT_BYTES];
    add_run_of(ward, 7, 100, 10, view_from(zeros, sizeof zeros));
    add_run_of(ward, 7, 105, 2, VIEW(SLOT OTHER_SLOT));    /* later, in the same place */
    add_run_of(ward, 7, 110, 1, view_from("\xFF\0\1", 3)); /* a torn tail */
    add_run_of(ward, 7, 0, 3, VIEW(SLOT OTHER_SLOT));      /* makes no sense */
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(read_back(ward, &runs), HEARTH_OK);
    assert_int_equal(runs.count, 4);
    const struct {
        uint64_t slot;
        struct view bytes;
        bool known;
    } cases[] = {
        {109, {zeros, 12}, true},    {105, {zeros, 12}, true},       {110, {zeros, 12}, false},
        {105, VIEW(SLOT), true},     {105, VIEW(OTHER_SLOT), false}, {106, VIEW(OTHER_SLOT), true},
        {106, VIEW(SLOT), false},    {110, {"\xFF\0\1", 3}, true},   {110, {"\xFF\0\2", 3}, false},
        {110, {"\xFF\0", 2}, false}, {0, VIEW(SLOT), false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(quarantined_runs_have(&runs, 7, cases[i].slot, cases[i].bytes),
                         cases[i].known);
    quarantined_runs_clean(&runs);
}

static void rubbish_in_a_quarantine_file_is_passed_over(void **state)
{
    struct ward *ward = *state;
    struct quarantined_runs runs;
    char path[4096];
    file_path(ward, 1, path);
    test_write_file(path, VIEW("\"source\":\"recovery\" is no JSON\n\n\xFF\xFE\n"
                               "[\"source\":\"recovery\"]\n{\"source\":\"recovery\"}\n"
                               "{\"source\":\"recovery\",\"sequence\":\"x\",\"slot\":{}}\n"));
    add_run(ward, 9, 1, 1);
    assert_int_equal(commit(ward), HEARTH_OK);
    assert_int_equal(read_back(ward, &runs), HEARTH_OK);
    assert_true(quarantined_runs_have(&runs, 9, 1, VIEW(SLOT)));
    quarantined_runs_clean(&runs);
}

#define WARD_STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_why_whence_and_what),
        cmocka_unit_test(any_text_comes_back_byte_for_byte),
        cmocka_unit_test(no_text_takes_more_room_than_base64),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        WARD_STORY(lines_are_appended_in_one_sync),
        WARD_STORY(a_torn_line_is_cut_before_the_next_is_appended),
        WARD_STORY(a_full_file_is_followed_by_the_next),
        WARD_STORY(after_a_failed_sync_the_next_file_is_taken),
        WARD_STORY(nothing_is_promised_into_a_removed_file),
        WARD_STORY(a_disk_that_fails_for_long_gets_no_file_for_each_commit),
        WARD_STORY(a_full_disk_is_told_and_the_file_stays_whole),
        WARD_STORY(what_does_not_fit_leaves_the_others_in_place),
        WARD_STORY(slots_quarantined_before_are_found_again),
        WARD_STORY(a_slot_is_known_with_the_bytes_it_had),
        WARD_STORY(rubbish_in_a_quarantine_file_is_passed_over),
    };
    return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
