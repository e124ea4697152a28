/*
 * test_request_path.c - what becomes of a path: by examples, and against a model that works in
 * another way, on many random paths.
 */
#include <stdio.h>
#include <string.h>

#include "app/core/memory.h"
#include "app/http/path.h"
#include "support.h"

enum { ARENA_BYTES = 1 << 20 };

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(ARENA_BYTES);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void expect_path(const char *raw, const char *expected)
{
    struct error_record error = {.code = HEARTH_OK};
    struct view path;
    enum hearth_error result = path_normalise(arena, view_of(raw), &path, &error);
    if (result != HEARTH_OK)
        fail_msg("%s was refused: %s", raw, error.detail);
    if (!view_equal(path, view_of(expected)))
        fail_msg("%s became %.*s, not %s", raw, VIEW_ARGUMENTS(path), expected);
}

static void expect_refused(const char *raw, const char *why)
{
    struct error_record error = {.code = HEARTH_OK};
    struct view path;
    enum hearth_error result = path_normalise(arena, view_of(raw), &path, &error);
    if (result != HEARTH_BAD_PATH)
        fail_msg("%s was not refused", raw);
    assert_string_equal(error.detail, why);
    assert_true(error.public_detail);
    assert_int_equal(error.code, HEARTH_BAD_PATH);
}

static void a_plain_path_is_not_copied(void **state)
{
    (void)state;
    static const char raw[] = "/posts/a.b-c_~!$&'()*+,;=:@1..2";
    struct error_record error;
    struct view path;
    assert_int_equal(path_normalise(arena, view_of(raw), &path, &error), HEARTH_OK);
    assert_ptr_equal(path.data, raw);
    assert_int_equal(path.length, sizeof raw - 1);
    assert_int_equal(arena_used(arena), 0);
}

static void percent_encoding_is_decoded_once(void **state)
{
    (void)state;
    expect_path("/%61%62c", "/abc");
    expect_path("/a%20b", "/a b");
    expect_path("/caf%C3%A9", "/caf\xc3\xa9");
    expect_path("/caf\xc3\xa9", "/caf\xc3\xa9");
    expect_path("/%2541", "/%41");
    expect_path("/100%25", "/100%");
    expect_path("/a%23b%3Fc", "/a#b?c");
}

static void empty_and_dot_segments_go_and_a_trailing_slash_stays(void **state)
{
    (void)state;
    expect_path("/", "/");
    expect_path("//", "/");
    expect_path("/.", "/");
    expect_path("/./", "/");
    expect_path("/a//b", "/a/b");
    expect_path("//a", "/a");
    expect_path("/a/", "/a/");
    expect_path("/a//", "/a/");
    expect_path("/a/.", "/a/");
    expect_path("/a/./b", "/a/b");
    expect_path("/a/%2e/b", "/a/b");
    expect_path("/a/%2E", "/a/");
    expect_path("/.well-known/x", "/.well-known/x");
    expect_path("/...", "/...");
    expect_path("/a..b/..c/d..", "/a..b/..c/d..");
}

static void an_encoded_slash_separates_nothing(void **state)
{
    (void)state;
    expect_path("/a%2Fb", "/a%2Fb");
    expect_path("/a%2fb", "/a%2Fb");
    expect_path("/%2F", "/%2F");
    expect_path("/a%2F/b", "/a%2F/b");
    expect_path("/a%2F%2Fb", "/a%2F%2Fb");
    expect_path("/a\\b", "/a\\b");
}

static void no_encoding_hides_the_way_up(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/..",         "/../",        "/a/../b",      "/a/..",    "/%2e%2e",     "/%2E%2e/x",
        "/%2e.",       "/.%2e",       "/..%2f",       "/..%2fx",  "/%2e%2e%2fx", "/a%2f..",
        "/a%2f..%2fb", "/..%5c",      "/..%5Cx",      "/..\\x",   "/a\\..",      "/a\\..\\b",
        "/a%5c..%5cb", "/a%2f%2e%2e", "/a%5c.%2e%2f", "/..%252f", "/..%255cx",   "/a/b/../../..",
        "/..//",       "//..",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_refused(paths[i], "the path has a \"..\"");
}

static void overlong_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/%c0%ae%c0%ae",       "/%c0%ae%c0%ae/etc", "/\xc0\xae\xc0\xae",
        "/%c0%2e%c0%ae",       "/%c0%af",           "/%c1%9c",
        "/%e0%80%ae",          "/%f0%80%80%ae",     "/%f8%80%80%80%ae",
        "/%fc%80%80%80%80%ae", "/..%c0%af",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_refused(paths[i], "the path has overlong UTF-8");
    /* What only looks like it: U+0800, U+10000, and Latin-1. */
    expect_path("/%e0%a0%80", "/\xe0\xa0\x80");
    expect_path("/%f0%90%80%80", "/\xf0\x90\x80\x80");
    expect_path("/%c0/x", "/\xc0/x");
}

static void malformed_encoding_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/%",   "/%2", "/%zz",  "/%g0",
                                        "/%0g", "/a%", "/%%41", "/%-1"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_refused(paths[i], "the path has malformed percent-encoding");
}

static void control_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/%00",     "/a%00b", "/%0a", "/%0D%0Ax", "/%7f",
                                        "/a\x01-b", "/\x7f",  "/%1F", "/\t"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_refused(paths[i], "the path has a control byte");
    struct error_record error;
    struct view path;
    assert_int_equal(path_normalise(arena, view_from("/a\0b", 4), &path, &error), HEARTH_BAD_PATH);
}

static void a_path_begins_with_a_slash(void **state)
{
    (void)state;
    expect_refused("", "the path does not begin with '/'");
    expect_refused("a", "the path does not begin with '/'");
    expect_refused("*", "the path does not begin with '/'");
    expect_refused("%2Fa", "the path does not begin with '/'");
    expect_refused("/a#b", "the path has a bare '#'");
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    struct error_record error;
    struct view path;
    memory_fail_after(0);
    enum hearth_error result = path_normalise(arena, VIEW("/%61"), &path, &error);
    memory_fail_after(-1);
    assert_int_equal(result, HEARTH_NO_MEMORY);
    assert_false(error.public_detail);
}

/* ---- The model: decodes all, then splits, with an encoded slash as a number no byte has ---- */

enum { MODEL_MAX = 512, ENCODED_SLASH = 0x100 };

struct model {
    int units[MODEL_MAX];
    size_t count;
    bool refused;
};

static int model_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static void model_decode(struct model *model, const char *raw)
{
    for (size_t i = 0; raw[i]; i++) {
        int unit = (unsigned char)raw[i];
        if (unit == '#')
            model->refused = true;
        if (unit == '%') {
            int high = model_digit(raw[i + 1]);
            int low = high < 0 ? -1 : model_digit(raw[i + 2]);
            if (low < 0) {
                model->refused = true;
                return;
            }
            unit = high * 16 + low;
            i += 2;
            if (unit == '/')
                unit = ENCODED_SLASH;
        }
        if (unit < 0x20 || unit == 0x7f)
            model->refused = true;
        model->units[model->count++] = unit;
    }
}

/* The separator at `at` as others may read it: how many units, 0 = none. */
static size_t model_separator(const struct model *model, size_t at)
{
    int unit = model->units[at];
    if (unit == '/' || unit == '\\' || unit == ENCODED_SLASH)
        return 1;
    if (unit != '%' || at + 2 >= model->count)
        return 0;
    int first = model->units[at + 1], second = model->units[at + 2];
    return (first == '2' && (second == 'f' || second == 'F')) ||
                   (first == '5' && (second == 'c' || second == 'C'))
               ? 3
               : 0;
}

static void model_judge(struct model *model)
{
    size_t from = 0;
    for (size_t i = 0; i <= model->count; i++) {
        size_t separator = i == model->count ? 1 : model_separator(model, i);
        if (separator) {
            if (i - from == 2 && model->units[from] == '.' && model->units[from + 1] == '.')
                model->refused = true;
            from = i + separator;
        }
        if (i + 1 < model->count) {
            int lead = model->units[i], next = model->units[i + 1];
            bool continues = next >= 0x80 && next <= 0xbf;
            if (((lead == 0xc0 || lead == 0xc1) && continues) ||
                (lead == 0xe0 && next >= 0x80 && next < 0xa0) ||
                (lead == 0xf0 && next >= 0x80 && next < 0x90))
                model->refused = true;
        }
    }
}

/* The normal form, from the units. */
static size_t model_write(const struct model *model, char *out)
{
    size_t length = 0, from = 1;
    out[length++] = '/';
    for (size_t i = 1; i <= model->count; i++) {
        bool end = i == model->count;
        if (!end && model->units[i] != '/')
            continue;
        size_t size = i - from;
        bool dropped = size == 0 || (size == 1 && model->units[from] == '.');
        for (size_t at = from; at < i && !dropped; at++) {
            if (model->units[at] == ENCODED_SLASH) {
                for (const char *from_text = "%2F"; *from_text; from_text++)
                    out[length++] = *from_text;
            } else {
                out[length++] = (char)model->units[at];
            }
        }
        if (!dropped && !end)
            out[length++] = '/';
        from = i + 1;
    }
    return length;
}

static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

static void random_path(char *raw, size_t size)
{
    static const char *const parts[] = {
        "/",     "/",      "/",    ".",    "..",   "%2e",  "%2E%2e", "%2f",
        "%2F",   "%5c",    "\\",   "a",    "b",    "%61",  "%25",    "%252f",
        "%252e", "%c0%ae", "\xc0", "\xae", "\xe0", "\x80", "\xa0",   "%",
        "%2",    "%00",    "%0a",  "#",    " ",    "+",    "~",      "caf\xc3\xa9",
    };
    /* Mostly harmless parts, so that many paths pass. */
    size_t count = 1 + random_below(12), mostly_harmless = random_below(4);
    size_t length = 0;
    raw[length++] = '/';
    for (size_t i = 0; i < count; i++) {
        struct view part =
            view_of(mostly_harmless ? parts[random_below(13)]
                                    : parts[random_below(sizeof parts / sizeof parts[0])]);
        if (length + part.length < size)
            memcpy(raw + length, part.data, part.length);
        length += length + part.length < size ? part.length : 0;
    }
    raw[length] = '\0';
}

/* Encodes all that a path could misread, so that it reads back as the same. */
static void encode_again(struct view path, char *raw, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < path.length; i++) {
        unsigned char byte = (unsigned char)path.data[i];
        bool kept = byte == '/' || view_starts_with(view_skip(path, i), VIEW("%2F")) ||
                    (byte > 0x20 && byte < 0x7f && !strchr("%#\\", byte));
        length += (size_t)snprintf(raw + length, size - length, kept ? "%c" : "%%%02X", byte);
    }
}

static void check_shape(const char *raw, struct view path)
{
    if (path.length == 0 || path.data[0] != '/')
        fail_msg("%s: does not begin with a slash", raw);
    if (path.length > strlen(raw))
        fail_msg("%s: grew", raw);
    struct view rest = view_skip(path, 1);
    while (rest.data) {
        struct view segment = view_split(&rest, '/');
        if (view_equal(segment, VIEW("..")) || view_equal(segment, VIEW(".")))
            fail_msg("%s: has a dot segment", raw);
        if (segment.length == 0 && rest.data)
            fail_msg("%s: has an empty segment", raw);
    }
}

static void random_paths_are_what_the_model_says_and_stay_so(void **state)
{
    (void)state;
    size_t passed = 0, refused = 0;
    for (size_t i = 0; i < 60000; i++) {
        char raw[MODEL_MAX / 2], expected[MODEL_MAX], again[3 * MODEL_MAX];
        struct model model = {.count = 0};
        struct error_record error;
        struct view path, second;
        random_path(raw, sizeof raw);
        model_decode(&model, raw);
        model_judge(&model);
        enum hearth_error result = path_normalise(arena, view_of(raw), &path, &error);
        if ((result == HEARTH_BAD_PATH) != model.refused)
            fail_msg("%s: the model says %s", raw, model.refused ? "refused" : "passed");
        if (model.refused) {
            refused++;
            continue;
        }
        passed++;
        assert_int_equal(result, HEARTH_OK);
        if (!view_equal(path, view_from(expected, model_write(&model, expected))))
            fail_msg("%s: became %.*s", raw, VIEW_ARGUMENTS(path));
        check_shape(raw, path);
        encode_again(path, again, sizeof again);
        assert_int_equal(path_normalise(arena, view_of(again), &second, &error), HEARTH_OK);
        if (!view_equal(path, second))
            fail_msg("%s: %.*s became %.*s", raw, VIEW_ARGUMENTS(path), VIEW_ARGUMENTS(second));
        arena_reset(arena);
    }
    /* Both ways were taken often, or the test would show nothing. */
    assert_true(passed > 5000);
    assert_true(refused > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_path_is_not_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(percent_encoding_is_decoded_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_and_dot_segments_go_and_a_trailing_slash_stays,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_encoded_slash_separates_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_encoding_hides_the_way_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlong_utf8_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_encoding_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_begins_with_a_slash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_it_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_paths_are_what_the_model_says_and_stay_so, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("request_path", tests, NULL, NULL);
}
