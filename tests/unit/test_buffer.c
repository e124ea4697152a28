/*
 * test_buffer.c - growing text, and what it becomes inside JSON and HTML.
 */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "app/core/number_text.h"
#include "app/core/utf8.h"
#include "tests/unit/support.h"

static uint64_t random_bits = 88172645463325252u;

static size_t random_below(size_t limit)
{
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 7;
    random_bits ^= random_bits << 17;
    return (size_t)(random_bits % limit);
}

static void assert_content(const struct buffer *buffer, struct view expected)
{
    if (!view_equal(buffer_view(buffer), expected))
        fail_msg("\"%.*s\" is not \"%.*s\"", VIEW_ARGUMENTS(buffer_view(buffer)),
                 VIEW_ARGUMENTS(expected));
}

/* ---- Growing ---- */

static void a_new_buffer_holds_nothing(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, VIEW_NONE), HEARTH_OK);
    assert_null(buffer.data);
    assert_int_equal(buffer_view(&buffer).length, 0);
    buffer_clean(&buffer);
}

static void what_is_appended_comes_in_order(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_append(&buffer, VIEW("view "));
    buffer_append_text(&buffer, "text ");
    buffer_append_byte(&buffer, '\0');
    buffer_append_int64(&buffer, -42);
    buffer_append_format(&buffer, " %s%d", "format", 7);
    char *place = buffer_reserve(&buffer, 3);
    memset(place, '!', 3);
    buffer.length += 3;
    assert_int_equal(buffer_status(&buffer), HEARTH_OK);
    assert_content(&buffer, VIEW("view text \0-42 format7!!!"));
    buffer_clean(&buffer);
}

static void numbers_reach_their_ends(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, 9, -1, 10, INT64_MAX, INT64_MIN, -1000000};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct buffer buffer;
        char expected[32];
        buffer_init(&buffer, 100);
        buffer_append_int64(&buffer, numbers[i]);
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_content(&buffer, view_of(expected));
        buffer_clean(&buffer);
    }
}

static void any_row_of_appends_equals_its_pieces(void **state)
{
    (void)state;
    static char model[200000];
    for (int round = 0; round < 50; round++) {
        size_t length = 0;
        struct buffer buffer;
        buffer_init(&buffer, sizeof model);
        while (length < sizeof model - 5000) {
            size_t piece = random_below(random_below(10) == 0 ? 5000 : 50);
            for (size_t i = 0; i < piece; i++)
                model[length + i] = (char)random_below(256);
            buffer_append(&buffer, view_from(model + length, piece));
            length += piece;
        }
        assert_int_equal(buffer_status(&buffer), HEARTH_OK);
        assert_true(view_equal(buffer_view(&buffer), view_from(model, length)));
        /* Doubling: at most twice of what is in it. */
        assert_true(buffer.capacity <= 2 * length);
        buffer_clean(&buffer);
    }
}

static void a_reset_keeps_the_memory(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 900; i++)
        buffer_append_byte(&buffer, 'x');
    const char *data = buffer.data;
    buffer_reset(&buffer);
    memory_fail_after(0);
    for (int i = 0; i < 900; i++)
        buffer_append_byte(&buffer, 'y');
    memory_fail_after(-1);
    assert_int_equal(buffer_status(&buffer), HEARTH_OK);
    assert_ptr_equal(buffer.data, data);
    buffer_clean(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, VIEW("again")), HEARTH_OK);
    buffer_clean(&buffer);
}

/* ---- The maximum ---- */

static void a_buffer_can_be_filled_to_its_last_byte(void **state)
{
    (void)state;
    for (size_t max_bytes = 1; max_bytes < 300; max_bytes++) {
        struct buffer buffer;
        buffer_init(&buffer, max_bytes);
        for (size_t i = 0; i < max_bytes; i++)
            assert_int_equal(buffer_append_byte(&buffer, 'x'), HEARTH_OK);
        assert_int_equal(buffer_append_byte(&buffer, 'x'), HEARTH_BODY_TOO_LARGE);
        assert_int_equal(buffer.length, max_bytes);
        assert_true(buffer.capacity <= max_bytes);
        buffer_clean(&buffer);

        buffer_init(&buffer, max_bytes);
        assert_int_equal(buffer_append_format(&buffer, "%0*d", (int)max_bytes, 7), HEARTH_OK);
        assert_int_equal(buffer.length, max_bytes);
        assert_int_equal(buffer.data[max_bytes - 1], '7');
        buffer_clean(&buffer);
        assert_int_equal(buffer_append_format(&buffer, "%0*d", (int)max_bytes + 1, 7),
                         HEARTH_BODY_TOO_LARGE);
        assert_int_equal(buffer.length, 0);
        buffer_clean(&buffer);
    }
}

static void a_failure_sticks_and_leaves_the_content(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, VIEW("12345"));
    assert_int_equal(buffer_append(&buffer, VIEW("678901")), HEARTH_BODY_TOO_LARGE);
    assert_content(&buffer, VIEW("12345"));
    /* It would fit, but the text would have a hole. */
    assert_int_equal(buffer_append(&buffer, VIEW("6")), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(buffer_append_byte(&buffer, '6'), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(buffer_append_int64(&buffer, 6), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(buffer_append_format(&buffer, "6"), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(buffer_append_json(&buffer, VIEW("")), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(buffer_append_html(&buffer, VIEW("6")), HEARTH_BODY_TOO_LARGE);
    assert_null(buffer_reserve(&buffer, 1));
    assert_content(&buffer, VIEW("12345"));
    assert_int_equal(buffer_status(&buffer), HEARTH_BODY_TOO_LARGE);
    buffer_reset(&buffer);
    assert_int_equal(buffer_append(&buffer, VIEW("ok")), HEARTH_OK);
    buffer_clean(&buffer);
}

static void sizes_near_the_end_of_numbers_do_not_wrap(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);
    buffer_append(&buffer, VIEW("12345"));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer_status(&buffer), HEARTH_BODY_TOO_LARGE);
    buffer_reset(&buffer);
    /* Allowed, but no machine has it. */
    memory_fail_after(0);
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 100));
    memory_fail_after(-1);
    assert_int_equal(buffer_status(&buffer), HEARTH_NO_MEMORY);
    buffer_clean(&buffer);
}

static void a_piece_that_does_not_fit_leaves_no_half(void **state)
{
    (void)state;
    for (size_t max_bytes = 0; max_bytes < 22; max_bytes++) {
        struct buffer buffer;
        buffer_init(&buffer, max_bytes + 2);
        buffer_append(&buffer, VIEW("ok"));
        /* 22 bytes as JSON, 28 as HTML. */
        assert_int_equal(buffer_append_json(&buffer, VIEW("a\"b\001cdef\xFF\xFF")),
                         HEARTH_BODY_TOO_LARGE);
        assert_content(&buffer, VIEW("ok"));
        buffer_reset(&buffer);
        buffer_append(&buffer, VIEW("ok"));
        assert_int_equal(buffer_append_html(&buffer, VIEW("<a href=\"x\">")),
                         HEARTH_BODY_TOO_LARGE);
        assert_content(&buffer, VIEW("ok"));
        buffer_clean(&buffer);
    }
}

/* ---- Memory that runs out ---- */

static void wherever_memory_runs_out_the_row_fails_cleanly(void **state)
{
    (void)state;
    int64_t allocations = 0;
    for (;; allocations++) {
        struct buffer buffer;
        buffer_init(&buffer, 100000);
        memory_fail_after(allocations);
        for (int i = 0; i < 100; i++) {
            buffer_append_format(&buffer, "%d,", i);
            buffer_append_json(&buffer, VIEW("\"quoted\" and a rather long text behind it"));
        }
        memory_fail_after(-1);
        enum hearth_error status = buffer_status(&buffer);
        size_t length = buffer.length;
        buffer_clean(&buffer);
        if (status == HEARTH_OK)
            break;
        assert_int_equal(status, HEARTH_NO_MEMORY);
        assert_true(length < 5000);
    }
    /* 64 bytes doubled to 5 KB: the loop has seen each step fail. */
    assert_in_range(allocations, 5, 12);
}

/* ---- JSON ---- */

static void assert_json(struct view text, const char *expected)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    assert_int_equal(buffer_append_json(&buffer, text), HEARTH_OK);
    assert_content(&buffer, view_of(expected));
    buffer_clean(&buffer);
}

static void json_escapes_what_it_must(void **state)
{
    (void)state;
    assert_json(VIEW_NONE, "\"\"");
    assert_json(VIEW("plain / text"), "\"plain / text\"");
    assert_json(VIEW("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    assert_json(VIEW("a\0b\x1F\x7F"), "\"a\\u0000b\\u001f\\u007f\"");
    assert_json(VIEW("\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0"), "\"\\u0080\\u009b\\u009f\xC2\xA0\"");
    assert_json(VIEW("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x94\xA5"),
                "\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x94\xA5\"");
}

#define R "\xEF\xBF\xBD"

static void each_maximal_subpart_becomes_one_replacement(void **state)
{
    (void)state;
    /* Tables 3-8 to 3-11 of the Unicode Standard: overlong, surrogates, above U+10FFFF, cut. */
    assert_json(VIEW("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "\"" R R R R R R R R "A\"");
    assert_json(VIEW("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "\"" R R R R R R R R "A\"");
    assert_json(VIEW("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "\"" R R R R R "A" R R "B\"");
    assert_json(VIEW("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\"" R R R R "A\"");
    assert_json(VIEW("\xF0\x9F\x94"), "\"" R "\"");
    assert_json(VIEW("\xE2\x82"), "\"" R "\"");
    assert_json(VIEW("\xC3"), "\"" R "\"");
    assert_json(VIEW("\xC3\x22"), "\"" R "\\\"\"");
    /* The ends of what is allowed. */
    assert_json(VIEW("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"),
                "\"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"");
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    to[0] = (char)(marks[length] | code);
    return length;
}

/* As a strict parser reads it. */
static void assert_parses_to(const struct buffer *json, struct view expected)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *text = json_tokener_parse_ex(tokener, json->data, (int)json->length);
    assert_int_equal(json_tokener_get_error(tokener), json_tokener_success);
    assert_true(view_equal(
        view_from(json_object_get_string(text), (size_t)json_object_get_string_len(text)),
        expected));
    json_object_put(text);
    json_tokener_free(tokener);
}

static void every_character_comes_back_through_json(void **state)
{
    (void)state;
    struct buffer json;
    buffer_init(&json, 100000);
    for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 37) {
        char text[4];
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        size_t length = put_utf8(text, code);
        buffer_reset(&json);
        buffer_append_json(&json, view_from(text, length));
        assert_parses_to(&json, view_from(text, length));
    }
    buffer_clean(&json);
}

static void arbitrary_bytes_become_valid_json(void **state)
{
    (void)state;
    struct buffer json, model;
    buffer_init(&json, 100000);
    buffer_init(&model, 100000);
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        size_t length = random_below(sizeof bytes);
        for (size_t i = 0; i < length; i++)
            /* Lead and continuation bytes more often than chance has them. */
            bytes[i] = (char)(random_below(3) ? 0x80 + random_below(128) : random_below(128));
        buffer_reset(&json);
        buffer_reset(&model);
        buffer_append_json(&json, view_from(bytes, length));
        for (struct view rest = view_from(bytes, length); rest.length > 0;) {
            bool valid;
            size_t taken = utf8_next(rest, &valid);
            buffer_append(&model, valid ? view_slice(rest, 0, taken) : UTF8_REPLACEMENT);
            rest = view_skip(rest, taken);
        }
        assert_parses_to(&json, buffer_view(&model));
    }
    buffer_clean(&json);
    buffer_clean(&model);
}

static void a_cut_never_splits_a_character(void **state)
{
    (void)state;
    struct view text = VIEW("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x94\xA5z");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max_bytes = 0; max_bytes < 13; max_bytes++)
        assert_int_equal(utf8_cut(text, max_bytes).length, expected[max_bytes]);
    /* Not UTF-8 at all: still no longer, and not shortened without end. */
    assert_in_range(utf8_cut(VIEW("\x80\x80\x80\x80\x80\x80\x80\x80"), 6).length, 3, 6);
}

static void numbers_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {{0, "0"},
                {-0.0, "0"},
                {1, "1"},
                {-17, "-17"},
                {0.005, "0.005"},
                {0.1, "0.1"},
                {2.5, "2.5"},
                {1e14, "100000000000000"},
                {1e300, "1e+300"},
                {1.0 / 3, "0.3333333333333333"},
                {12.345678, "12.345678"},
                {-0.000001, "-0.000001"},
                {3999999999.999999, "3999999999.999999"},
                {0.0000015, "1.5e-06"},
                {1e15, "1e+15"},
                {-123456.7, "-123456.7"},
                {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[NUMBER_TEXT_SIZE];
        assert_int_equal(number_text(rows[i].number, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
    for (int round = 0; round < 20000; round++) {
        uint64_t bits = random_below(SIZE_MAX);
        double number, back;
        memcpy(&number, &bits, sizeof number);
        char text[NUMBER_TEXT_SIZE];
        size_t length = number_text(number, text);
        assert_in_range(length, 1, NUMBER_TEXT_SIZE - 1);
        back = strtod(text, NULL);
        assert_true(number != number || back == number);
        /* Durations, as they are logged. */
        uint64_t ns = random_below((size_t)1 << random_below(63));
        number = (double)ns / 1e6;
        number_text(number, text);
        assert_true(strtod(text, NULL) == number);
        assert_true(ns > 3999999999999999 || strlen(text) <= 17);
    }
}

/* ---- HTML ---- */

static void html_escapes_for_content_and_attributes(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_append_html(&buffer, VIEW("<a title=\"it's\">Q&A</a>\0\xFF"));
    assert_content(&buffer, VIEW("&lt;a title=&quot;it&#39;s&quot;&gt;Q&amp;A&lt;/a&gt;\0\xFF"));
    buffer_reset(&buffer);
    buffer_append_html(&buffer, VIEW("nothing to do"));
    buffer_append_html(&buffer, VIEW_NONE);
    assert_content(&buffer, VIEW("nothing to do"));
    buffer_clean(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_holds_nothing),
        cmocka_unit_test(what_is_appended_comes_in_order),
        cmocka_unit_test(numbers_reach_their_ends),
        cmocka_unit_test(any_row_of_appends_equals_its_pieces),
        cmocka_unit_test(a_reset_keeps_the_memory),
        cmocka_unit_test(a_buffer_can_be_filled_to_its_last_byte),
        cmocka_unit_test(a_failure_sticks_and_leaves_the_content),
        cmocka_unit_test(sizes_near_the_end_of_numbers_do_not_wrap),
        cmocka_unit_test(a_piece_that_does_not_fit_leaves_no_half),
        cmocka_unit_test(wherever_memory_runs_out_the_row_fails_cleanly),
        cmocka_unit_test(json_escapes_what_it_must),
        cmocka_unit_test(each_maximal_subpart_becomes_one_replacement),
        cmocka_unit_test(every_character_comes_back_through_json),
        cmocka_unit_test(arbitrary_bytes_become_valid_json),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(numbers_are_short_and_exact),
        cmocka_unit_test(html_escapes_for_content_and_attributes),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
