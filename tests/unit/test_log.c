/*
 * test_log.c - lines as a JSON parser and a person read them, from several threads and processes,
 * over a rotation, to a terminal and to a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hearth/limits.h"
#include "tests/unit/support.h"

static char *directory;
static char path[512];
static struct buffer content;
static struct clock_manual manual;

static int make_directory(void **state)
{
    (void)state;
    directory = test_directory_make();
    snprintf(path, sizeof path, "%s/log", directory);
    buffer_init(&content, 64u << 20);
    clock_manual_init(&manual, 1767322983678); /* 2026-01-02T03:03:03.678Z */
    return 0;
}

static int drop_directory(void **state)
{
    (void)state;
    const struct log_options standard = {.level = LOG_LEVEL_INFO};
    buffer_clean(&content);
    test_directory_remove(directory);
    return log_configure(&standard) == HEARTH_OK ? 0 : -1;
}

static void log_to(const char *file, enum log_level level, enum log_format format)
{
    const struct log_options options = {
        .level = level, .format = format, .file = file, .clock = &manual.clock};
    assert_int_equal(log_configure(&options), HEARTH_OK);
}

/* What stands in a file. */
static struct view read_file(const char *name)
{
    int descriptor = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    buffer_reset(&content);
    for (;;) {
        char *place = buffer_reserve(&content, 65536);
        assert_non_null(place);
        ssize_t got = read(descriptor, place, 65536);
        assert_true(got >= 0);
        if (got == 0)
            break;
        content.length += (size_t)got;
    }
    close(descriptor);
    return buffer_view(&content);
}

/* One whole line, strictly parsed; the caller puts it. */
static struct json_object *parse_line(struct view line)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        fail_msg("not JSON: %.*s", VIEW_ARGUMENTS(line));
    assert_true(json_object_is_type(object, json_type_object));
    json_tokener_free(tokener);
    return object;
}

static struct json_object *parse_only_line(void)
{
    struct view rest = read_file(path), line = view_split(&rest, '\n');
    assert_int_equal(rest.length, 0);
    return parse_line(line);
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no \"%s\"", key);
    return json_object_get_string(value);
}

/* ---- JSON ---- */

static void a_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    char expected[512];
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("request_done", LOG_TEXT("method", "GET"), LOG_VIEW("path", VIEW("/a\"b\n")),
             LOG_INTEGER("status", 200), LOG_NUMBER("total_ms", 1.25), LOG_BOOLEAN("kept", true),
             LOG_INTEGER("lowest", INT64_MIN), LOG_BOOLEAN("cold", false));
    snprintf(expected, sizeof expected,
             "{\"time\":\"2026-01-02T03:03:03.678Z\",\"level\":\"info\",\"event\":\"request_done\","
             "\"pid\":%d,\"method\":\"GET\",\"path\":\"/a\\\"b\\n\",\"status\":200,"
             "\"total_ms\":1.25,\"kept\":true,\"lowest\":-9223372036854775808,\"cold\":false}\n",
             (int)getpid());
    struct view line = read_file(path);
    assert_int_equal(line.length, strlen(expected));
    assert_memory_equal(line.data, expected, line.length);
    json_object_put(parse_only_line());
}

static void empty_texts_are_left_out(void **state)
{
    (void)state;
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("x", LOG_TEXT("none", NULL), LOG_TEXT("empty", ""), LOG_VIEW("view", VIEW_NONE),
             LOG_INTEGER("zero", 0));
    struct json_object *line = parse_only_line();
    assert_int_equal(json_object_object_length(line), 5);
    assert_string_equal(text_of(line, "zero"), "0");
    json_object_put(line);
}

static void numbers_that_json_lacks_are_null(void **state)
{
    (void)state;
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("x", LOG_NUMBER("nan", NAN), LOG_NUMBER("infinite", INFINITY),
             LOG_NUMBER("low", -INFINITY), LOG_NUMBER("small", 5e-324), LOG_NUMBER("large", 1e308));
    struct json_object *line = parse_only_line();
    assert_null(text_of(line, "nan"));
    assert_null(text_of(line, "infinite"));
    assert_null(text_of(line, "low"));
    assert_true(strtod(text_of(line, "small"), NULL) > 0);
    assert_true(strtod(text_of(line, "large"), NULL) == 1e308);
    json_object_put(line);
}

static void hostile_text_stays_inside_its_string(void **state)
{
    (void)state;
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    struct view hostile = VIEW("\",\"level\":\"error\"}\n{\"x\":\"\xFF\x1B[2J\xC2\x9B"
                               "2J\0end");
    LOG_WARN("x", LOG_VIEW("path", hostile));
    struct view line = read_file(path);
    assert_int_equal(view_index_of(line, '\n'), line.length - 1);
    for (size_t i = 0; i + 1 < line.length; i++)
        assert_true((unsigned char)line.data[i] >= 0x20);
    struct json_object *object = parse_only_line();
    assert_string_equal(text_of(object, "level"), "warn");
    json_object_put(object);
}

/* ---- Levels ---- */

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_OFF; level++) {
        unlink(path);
        log_to(path, (enum log_level)level, LOG_FORMAT_JSON);
        LOG_DEBUG("debug", LOG_INTEGER("n", 1));
        LOG_INFO("info", LOG_INTEGER("n", 1));
        LOG_WARN("warn", LOG_INTEGER("n", 1));
        LOG_ERROR("error", LOG_INTEGER("n", 1));
        log_write(LOG_LEVEL_OFF, "never", NULL, 0);
        assert_false(log_enabled(LOG_LEVEL_OFF));
        size_t lines = 0;
        struct view all = read_file(path);
        for (size_t i = 0; i < all.length; i++)
            lines += all.data[i] == '\n';
        assert_int_equal(lines, LOG_LEVEL_OFF - level);
    }
}

static int evaluated;

static int64_t expensive(void)
{
    return ++evaluated;
}

static void fields_below_the_level_are_not_even_computed(void **state)
{
    (void)state;
    log_to(path, LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    evaluated = 0;
    LOG_INFO("x", LOG_INTEGER("n", expensive()));
    assert_int_equal(evaluated, 0);
    LOG_WARN("x", LOG_INTEGER("n", expensive()));
    assert_int_equal(evaluated, 1);
}

/* ---- Long lines ---- */

static char long_text[100000];

static struct json_object *log_and_parse(const struct log_field *fields, size_t count)
{
    unlink(path);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, "long", fields, count);
    assert_true(read_file(path).length <= LIMIT_LOG_LINE);
    return parse_only_line();
}

static void a_line_up_to_the_limit_is_whole(void **state)
{
    (void)state;
    bool was_cut = false;
    memset(long_text, 'x', sizeof long_text);
    for (size_t length = LIMIT_LOG_LINE - 200; length < LIMIT_LOG_LINE; length++) {
        const struct log_field fields[] = {LOG_VIEW("path", view_from(long_text, length)),
                                           LOG_INTEGER("status", 200)};
        struct json_object *line = log_and_parse(fields, 2), *cut = NULL;
        bool is_cut = json_object_object_get_ex(line, "cut", &cut);
        assert_true(is_cut || !was_cut);
        assert_true(is_cut == (strlen(text_of(line, "path")) < length));
        assert_string_equal(text_of(line, "status"), "200");
        was_cut = is_cut;
        json_object_put(line);
    }
    assert_true(was_cut);
}

static void what_stands_behind_a_long_text_survives(void **state)
{
    (void)state;
    memset(long_text, '"', sizeof long_text);
    const struct log_field fields[] = {LOG_VIEW("path", view_from(long_text, sizeof long_text)),
                                       LOG_VIEW("agent", view_from(long_text, sizeof long_text)),
                                       LOG_TEXT("request_id", "0123456789abcdef"),
                                       LOG_INTEGER("status", 431)};
    struct json_object *line = log_and_parse(fields, 4);
    assert_string_equal(text_of(line, "cut"), "true");
    assert_string_equal(text_of(line, "request_id"), "0123456789abcdef");
    assert_string_equal(text_of(line, "status"), "431");
    /* Cut, not thrown away. */
    assert_true(strlen(text_of(line, "path")) >= 1000);
    json_object_put(line);
}

static void a_cut_leaves_whole_characters(void **state)
{
    (void)state;
    struct view fire = VIEW("\xF0\x9F\x94\xA5");
    for (size_t shift = 0; shift < 4; shift++) {
        memset(long_text, 'x', sizeof long_text);
        for (size_t i = shift; i + 4 <= sizeof long_text; i += 4)
            memcpy(long_text + i, fire.data, fire.length);
        const struct log_field field = LOG_VIEW("path", view_from(long_text, 50000 + shift));
        struct json_object *line = log_and_parse(&field, 1);
        assert_null(strstr(text_of(line, "path"), "\xEF\xBF\xBD"));
        json_object_put(line);
    }
}

static void too_many_fields_lose_the_last(void **state)
{
    (void)state;
    static struct log_field fields[1000];
    for (size_t i = 0; i < 1000; i++)
        fields[i] = LOG_INTEGER("some_number", (int64_t)i);
    struct json_object *line = log_and_parse(fields, 1000);
    assert_string_equal(text_of(line, "cut"), "true");
    assert_string_equal(text_of(line, "event"), "long");
    json_object_put(line);
    assert_true(read_file(path).length > LIMIT_LOG_LINE - 100);
}

/* ---- Text ---- */

static void people_read_text(void **state)
{
    (void)state;
    static const char expected[] =
        "2026-01-02T03:03:03.678Z WARN disk_full path=/var/lib free_bytes=0 share=0.5 "
        "reason=\"no space\" query=\"a=b\" quote=\"\\\"\" name=caf\xC3\xA9 odd=\"\\u001b[2J\" "
        "kept=false\n";
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_WARN("disk_full", LOG_TEXT("path", "/var/lib"), LOG_INTEGER("free_bytes", 0),
             LOG_NUMBER("share", 0.5), LOG_TEXT("reason", "no space"), LOG_TEXT("query", "a=b"),
             LOG_TEXT("quote", "\""), LOG_TEXT("name", "caf\xC3\xA9"), LOG_TEXT("odd", "\x1B[2J"),
             LOG_TEXT("none", ""), LOG_BOOLEAN("kept", false));
    struct view line = read_file(path);
    assert_int_equal(line.length, sizeof expected - 1);
    assert_memory_equal(line.data, expected, line.length);
}

static void a_cut_text_line_says_so(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_INFO("x", LOG_VIEW("path", view_from(long_text, sizeof long_text)),
             LOG_INTEGER("status", 200));
    struct view line = read_file(path);
    assert_true(line.length <= LIMIT_LOG_LINE);
    assert_true(view_ends_with(line, VIEW(" status=200 cut=true\n")));
}

static void colour_is_for_terminals(void **state)
{
    (void)state;
    char line[256] = "";
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    char name[64];
    assert_int_equal(ptsname_r(terminal, name, sizeof name), 0);
    log_to(name, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    LOG_ERROR("x", LOG_INTEGER("n", 1));
    assert_true(read(terminal, line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "\033[31mERROR\033[0m x n=1"));
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    close(terminal);
}

/* ---- Where lines go ---- */

static void without_a_file_lines_go_to_standard_error(void **state)
{
    (void)state;
    int ends[2], saved = dup(STDERR_FILENO);
    char line[512] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    log_to("", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("hello", LOG_INTEGER("n", 1));
    log_reopen(); /* nothing to reopen */
    LOG_INFO("again", LOG_INTEGER("n", 2));
    dup2(saved, STDERR_FILENO);
    ssize_t got = read(ends[0], line, sizeof line - 1);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_true(got > 0);
    assert_non_null(strstr(line, "\"hello\""));
    assert_non_null(strstr(line, "\"again\""));
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
    (void)state;
    char missing[600];
    snprintf(missing, sizeof missing, "%s/none/log", directory);
    log_to(path, LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    const struct log_options options = {.level = LOG_LEVEL_DEBUG, .file = missing};
    assert_int_equal(log_configure(&options), HEARTH_IO);
    LOG_INFO("info", LOG_INTEGER("n", 1));
    LOG_WARN("warn", LOG_INTEGER("n", 1));
    struct json_object *line = parse_only_line();
    assert_string_equal(text_of(line, "event"), "warn");
    json_object_put(line);
}

static void a_log_is_not_for_everybody(void **state)
{
    (void)state;
    struct stat status;
    mode_t old = umask(0);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    umask(old);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static void a_rotated_log_is_opened_anew(void **state)
{
    (void)state;
    char rotated[600];
    snprintf(rotated, sizeof rotated, "%s.1", path);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("one", LOG_INTEGER("n", 1));
    assert_int_equal(rename(path, rotated), 0);
    LOG_INFO("two", LOG_INTEGER("n", 2));
    log_reopen();
    LOG_INFO("three", LOG_INTEGER("n", 3));
    struct json_object *line = parse_only_line();
    assert_string_equal(text_of(line, "event"), "three");
    json_object_put(line);
    assert_true(view_find(read_file(rotated), VIEW("\"two\"")) != SIZE_MAX);
}

/* The number that the next descriptor gets: it grows when one is left open. */
static int next_descriptor(void)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    close(next);
    return next;
}

static void no_descriptor_is_left_behind(void **state)
{
    (void)state;
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    int next = next_descriptor();
    for (int i = 0; i < 10; i++) {
        log_reopen();
        assert_int_equal(next_descriptor(), next);
    }
    /* The new file is opened before the old one is closed, so two numbers take turns. */
    for (int i = 0; i < 10; i++) {
        log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        assert_in_range(next_descriptor(), next - 1, next + 1);
    }
}

static void a_rotation_that_fails_keeps_the_old_file(void **state)
{
    (void)state;
    char inner[600], file[800], moved[700];
    snprintf(inner, sizeof inner, "%s/inner", directory);
    snprintf(file, sizeof file, "%s/log", inner);
    snprintf(moved, sizeof moved, "%s/moved", directory);
    assert_int_equal(mkdir(inner, 0700), 0);
    log_to(file, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    assert_int_equal(rename(inner, moved), 0);
    log_reopen();
    LOG_INFO("still_here", LOG_INTEGER("n", 1));
    snprintf(file, sizeof file, "%s/log", moved);
    struct view all = read_file(file);
    assert_true(view_find(all, VIEW("log_reopen_failed")) != SIZE_MAX);
    assert_true(view_find(all, VIEW("still_here")) != SIZE_MAX);
}

static void a_full_disk_drops_lines_and_keeps_errno(void **state)
{
    (void)state;
    log_to("/dev/full", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    errno = EDOM;
    LOG_ERROR("x", LOG_INTEGER("n", 1));
    assert_int_equal(errno, EDOM);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
}

/* ---- Many writers ---- */

enum { WRITERS = 3, THREADS = 4, LINES = 2000 };

static void *write_lines(void *argument)
{
    int64_t thread = *(int64_t *)argument;
    static const char filler[] = "a text that makes the line as long as those of a real request, "
                                 "so that lines would be seen to mix";
    for (int i = 0; i < LINES; i++) {
        LOG_INFO("line", LOG_INTEGER("thread", thread), LOG_INTEGER("n", i),
                 LOG_TEXT("filler", filler));
        if (i % 100 == 0)
            log_reopen();
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    int64_t numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Every line is whole, and those of one thread are in order: gives how many there are. */
static size_t count_lines(const char *name)
{
    size_t lines = 0;
    for (struct view rest = read_file(name); rest.length > 0; lines++) {
        struct json_object *line = parse_line(view_split(&rest, '\n'));
        assert_string_equal(text_of(line, "event"), "line");
        json_object_put(line);
    }
    return lines;
}

static void lines_of_many_writers_do_not_mix_and_none_is_lost(void **state)
{
    (void)state;
    char rotated[600];
    snprintf(rotated, sizeof rotated, "%s.1", path);
    log_to(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            run_threads();
            _exit(0);
        }
    }
    /* A rotation under load: lines go to the one file or to the other. */
    usleep(20000);
    assert_int_equal(rename(path, rotated), 0);
    log_reopen();
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_lines(path) + count_lines(rotated), WRITERS * THREADS * LINES);
}

static int remove_log(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

#define LOG_TEST(name) cmocka_unit_test_setup(name, remove_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_has_time_level_event_and_fields),
        LOG_TEST(empty_texts_are_left_out),
        LOG_TEST(numbers_that_json_lacks_are_null),
        LOG_TEST(hostile_text_stays_inside_its_string),
        LOG_TEST(lines_below_the_level_are_not_written),
        LOG_TEST(fields_below_the_level_are_not_even_computed),
        LOG_TEST(a_line_up_to_the_limit_is_whole),
        LOG_TEST(what_stands_behind_a_long_text_survives),
        LOG_TEST(a_cut_leaves_whole_characters),
        LOG_TEST(too_many_fields_lose_the_last),
        LOG_TEST(people_read_text),
        LOG_TEST(a_cut_text_line_says_so),
        LOG_TEST(colour_is_for_terminals),
        LOG_TEST(without_a_file_lines_go_to_standard_error),
        LOG_TEST(a_file_that_cannot_be_opened_changes_nothing),
        LOG_TEST(a_log_is_not_for_everybody),
        LOG_TEST(a_rotated_log_is_opened_anew),
        LOG_TEST(no_descriptor_is_left_behind),
        LOG_TEST(a_rotation_that_fails_keeps_the_old_file),
        LOG_TEST(a_full_disk_drops_lines_and_keeps_errno),
        LOG_TEST(lines_of_many_writers_do_not_mix_and_none_is_lost),
    };
    return cmocka_run_group_tests_name("log", tests, make_directory, drop_directory);
}
