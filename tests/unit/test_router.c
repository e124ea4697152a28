/*
 * test_router.c - method and path to a route: by examples, and on random tables against a model
 * that tries every pattern.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "app/http/router.h"
#include "hearth/limits.h"
#include "support.h"

static struct arena *arena;
static struct router *router;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(LIMIT_ARENA_BYTES);
    router = router_new();
    return arena && router ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    arena_free(arena);
    return 0;
}

static enum hearth_error handler(const struct request *request, struct response *response,
                                 void *state)
{
    (void)request;
    (void)response;
    (void)state;
    return HEARTH_OK;
}

static enum hearth_error try_add(const char *method, const char *pattern,
                                 struct error_record *error)
{
    struct route *route = arena_alloc_zero(arena, sizeof *route);
    assert_non_null(route);
    *route = (struct route){.method = method, .pattern = pattern, .handler = handler};
    return router_add(router, route, "test", NULL, error);
}

static void add(const char *method, const char *pattern)
{
    struct error_record error;
    if (try_add(method, pattern, &error) != HEARTH_OK)
        fail_msg("%s", error.detail);
}

static struct router_match match;

static enum hearth_error find(const char *method, const char *path, struct request *request)
{
    struct test_request input = {.method = method, .target = path};
    assert_int_equal(test_parse(arena, &input, request), HEARTH_OK);
    return router_find(router, request, &match);
}

/* Finds the row with that method and pattern. */
static void expect(const char *method, const char *path, const char *row_method,
                   const char *row_pattern)
{
    struct request request;
    enum hearth_error result = find(method, path, &request);
    if (result != HEARTH_OK)
        fail_msg("%s %s: %s", method, path, error_name(result));
    assert_string_equal(match.target->route->method, row_method);
    assert_string_equal(match.target->route->pattern, row_pattern);
    assert_string_equal(request.route, row_pattern);
}

static void expect_not_found(const char *method, const char *path)
{
    struct request request;
    if (find(method, path, &request) != HEARTH_NOT_FOUND)
        fail_msg("%s %s was found", method, path);
    assert_null(match.target);
    assert_null(request.route);
}

static void expect_not_allowed(const char *method, const char *path, const char *allow)
{
    struct request request;
    enum hearth_error result = find(method, path, &request);
    if (result != HEARTH_METHOD_NOT_ALLOWED)
        fail_msg("%s %s: %s", method, path, error_name(result));
    assert_string_equal(match.allow, allow);
    assert_null(match.target);
}

static void a_literal_wins_over_a_parameter_and_that_over_a_tail(void **state)
{
    (void)state;
    add("GET", "/a/{rest...}");
    add("GET", "/a/{x}");
    add("GET", "/a/b");
    expect("GET", "/a/b", "GET", "/a/b");
    expect("GET", "/a/c", "GET", "/a/{x}");
    expect("GET", "/a/c/d", "GET", "/a/{rest...}");
    expect("GET", "/a/b/d", "GET", "/a/{rest...}");
    expect("GET", "/a/", "GET", "/a/{rest...}");
    expect_not_found("GET", "/a");
    expect_not_found("GET", "/");
}

static void it_backs_off(void **state)
{
    (void)state;
    add("GET", "/a/b");
    add("GET", "/a/{x}/c");
    add("GET", "/{x}/{y}/{z}/d");
    add("GET", "/a/b/c/e");
    expect("GET", "/a/b", "GET", "/a/b");
    expect("GET", "/a/b/c", "GET", "/a/{x}/c");
    expect("GET", "/a/b/c/d", "GET", "/{x}/{y}/{z}/d");
    expect_not_found("GET", "/a/b/c/f");
    struct request request;
    assert_int_equal(find("GET", "/a/b/c/d", &request), HEARTH_OK);
    assert_int_equal(request.parameters.count, 3);
    assert_true(view_equal(request_parameter(&request, "x"), VIEW("a")));
    assert_true(view_equal(request_parameter(&request, "y"), VIEW("b")));
    assert_true(view_equal(request_parameter(&request, "z"), VIEW("c")));
}

static void slashes_at_the_end_tell_paths_apart(void **state)
{
    (void)state;
    add("GET", "/");
    add("GET", "/a");
    add("GET", "/b/");
    add("GET", "/c/{x}");
    expect("GET", "/", "GET", "/");
    expect("GET", "/a", "GET", "/a");
    expect_not_found("GET", "/a/");
    expect("GET", "/b/", "GET", "/b/");
    expect_not_found("GET", "/b");
    expect_not_found("GET", "/c/");
    expect_not_found("GET", "/c/x/");
}

static void parameters_are_as_in_the_path(void **state)
{
    (void)state;
    add("GET", "/posts/{slug}/parts/{part}");
    add("GET", "/static/{path...}");
    struct request request;
    assert_int_equal(find("GET", "/posts/a%20b%2Fc/parts/%c3%a9", &request), HEARTH_OK);
    assert_int_equal(request.parameters.count, 2);
    assert_true(view_equal(request_parameter(&request, "slug"), VIEW("a b%2Fc")));
    assert_true(view_equal(request_parameter(&request, "part"), VIEW("\xc3\xa9")));
    assert_null(request_parameter(&request, "path").data);
    assert_int_equal(find("GET", "/static/css/a%2Fb.css", &request), HEARTH_OK);
    assert_true(view_equal(request_parameter(&request, "path"), VIEW("css/a%2Fb.css")));
    assert_true(view_equal(match.path_rest, VIEW("css/a%2Fb.css")));
    assert_int_equal(find("GET", "/static/", &request), HEARTH_OK);
    assert_non_null(request_parameter(&request, "path").data);
    assert_int_equal(match.path_rest.length, 0);
}

static void head_is_served_by_get_unless_it_has_its_own_row(void **state)
{
    (void)state;
    add("GET", "/a");
    add("GET", "/b");
    add("HEAD", "/b");
    add("*", "/c");
    add("GET", "/c");
    add("PUT", "/d");
    expect("HEAD", "/a", "GET", "/a");
    expect("HEAD", "/b", "HEAD", "/b");
    expect("HEAD", "/c", "GET", "/c");
    expect_not_allowed("HEAD", "/d", "OPTIONS, PUT");
}

static void a_star_takes_every_method_that_no_row_names(void **state)
{
    (void)state;
    add("*", "/a");
    add("PUT", "/a");
    expect("GET", "/a", "*", "/a");
    expect("PUT", "/a", "PUT", "/a");
    expect("OPTIONS", "/a", "*", "/a");
    expect("PROPFIND", "/a", "*", "/a");
    expect("*", "/a", "*", "/a");
}

static void a_known_path_says_which_methods_it_has(void **state)
{
    (void)state;
    add("PUT", "/a");
    add("GET", "/a");
    add("POST", "/b");
    add("DELETE", "/a");
    add("OPTIONS", "/c");
    add("HEAD", "/d");
    add("PROPFIND", "/d");
    expect_not_allowed("POST", "/a", "DELETE, GET, HEAD, OPTIONS, PUT");
    expect_not_allowed("OPTIONS", "/a", "DELETE, GET, HEAD, OPTIONS, PUT");
    expect_not_allowed("BREW", "/a", "DELETE, GET, HEAD, OPTIONS, PUT");
    expect_not_allowed("get", "/a", "DELETE, GET, HEAD, OPTIONS, PUT");
    expect_not_allowed("GET", "/b", "OPTIONS, POST");
    expect("OPTIONS", "/c", "OPTIONS", "/c");
    expect_not_allowed("GET", "/c", "OPTIONS");
    expect_not_allowed("GET", "/d", "HEAD, OPTIONS, PROPFIND");
    struct request request;
    assert_int_equal(find("POST", "/a", &request), HEARTH_METHOD_NOT_ALLOWED);
    assert_string_equal(request.route, "/a");
}

/* The path decides first: a wider pattern with the method does not answer for a literal one. */
static void the_path_decides_before_the_method(void **state)
{
    (void)state;
    add("POST", "/login");
    add("GET", "/{page}");
    expect_not_allowed("GET", "/login", "OPTIONS, POST");
    expect("GET", "/about", "GET", "/{page}");
}

static void expect_conflict(const char *method, const char *pattern, const char *detail)
{
    struct error_record error;
    assert_int_equal(try_add(method, pattern, &error), HEARTH_MISUSE);
    assert_string_equal(error.detail, detail);
}

static void two_rows_of_one_method_and_shape_are_refused(void **state)
{
    (void)state;
    add("GET", "/a/{x}");
    add("PUT", "/a/{y}");
    add("GET", "/s/{x...}");
    add("GET", "/s/{x}");
    expect_conflict("GET", "/a/{z}",
                    "route GET /a/{z} of module test is also /a/{x} of module test");
    expect_conflict("GET", "/s/{y...}",
                    "route GET /s/{y...} of module test is also /s/{x...} of module test");
    assert_int_equal(router_count(router), 4);
    /* Names are those of the row that matched. */
    struct request request;
    assert_int_equal(find("PUT", "/a/1", &request), HEARTH_OK);
    assert_true(view_equal(request_parameter(&request, "y"), VIEW("1")));
    assert_null(request_parameter(&request, "x").data);
}

static void malformed_patterns_are_refused(void **state)
{
    (void)state;
    expect_conflict("GET", "", "route  does not begin with '/'");
    expect_conflict("GET", "a", "route a does not begin with '/'");
    expect_conflict("GET", "/a//b", "route /a//b has an empty segment");
    expect_conflict("GET", "/{x", "route /{x has a brace without its partner");
    expect_conflict("GET", "/x}", "route /x} has a malformed literal");
    expect_conflict("GET", "/x{y}", "route /x{y} has a malformed literal");
    expect_conflict("GET", "/{}", "route /{} has a malformed parameter name");
    expect_conflict("GET", "/{X}", "route /{X} has a malformed parameter name");
    expect_conflict("GET", "/{...}", "route /{...} has a malformed parameter name");
    expect_conflict("GET", "/{x...}/a", "route /{x...}/a has a tail that is not its end");
    expect_conflict("GET", "/{x}/{x}", "route /{x}/{x} names a parameter twice");
    expect_conflict("GET", "/a/../b", "route /a/../b has a malformed literal");
    expect_conflict("GET", "/a b", "route /a b has a malformed literal");
    expect_conflict("GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
                    "route /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i} has too many parameters");
    expect_conflict("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
                    "route /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 has too many segments");
    expect_conflict("", "/a", "route /a lacks a method or a handler");
    assert_int_equal(router_count(router), 0);
    add("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16");
    expect("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "GET",
           "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16");
}

static void methods_that_do_not_fit_into_allow_are_refused(void **state)
{
    (void)state;
    add("GET", "/a");
    add("AVERYLONGMETHODNAMETHATTAKESROOM", "/a");
    add("BVERYLONGMETHODNAMETHATTAKESROOM", "/a");
    expect_conflict("CVERYLONGMETHODNAMETHATTAKESROOM", "/a", "route /a has too many methods");
    expect_not_allowed("PUT", "/a",
                       "AVERYLONGMETHODNAMETHATTAKESROOM, BVERYLONGMETHODNAMETHATTAKESROOM, GET, "
                       "HEAD, OPTIONS");
}

static void targets_are_numbered(void **state)
{
    (void)state;
    int state_of_module;
    static const struct route route = {"GET", "/b", handler, ROUTE_PAGE, BULKHEAD_SLOW};
    struct error_record error;
    add("GET", "/a");
    assert_int_equal(router_add(router, &route, "other", &state_of_module, &error), HEARTH_OK);
    assert_int_equal(router_count(router), 2);
    const struct router_target *target = router_target(router, 1);
    assert_ptr_equal(target->route, &route);
    assert_ptr_equal(target->state, &state_of_module);
    assert_string_equal(target->module, "other");
    assert_int_equal(target->index, 1);
    assert_null(router_target(router, 2));
}

static void a_path_of_thousands_of_segments_is_no_trouble(void **state)
{
    (void)state;
    add("GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}");
    add("GET", "/{a}/{b}/{c}/x");
    char path[8001] = "";
    for (size_t i = 0; i < 8000; i++)
        path[i] = i % 2 ? 'x' : '/';
    expect_not_found("GET", path);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    add("GET", "/a/{x}");
    struct request request;
    struct test_request input = {.method = "GET", .target = "/a/b"};
    assert_int_equal(test_parse(arena, &input, &request), HEARTH_OK);
    struct arena *tight = arena_new(16);
    request.arena = tight;
    assert_int_equal(router_find(router, &request, &match), HEARTH_NO_MEMORY);
    arena_free(tight);
}

/* ---- The model: tries every row, and takes the best by comparing segment kinds ---- */

enum { MODEL_ROWS = 24, MODEL_SEGMENTS = 5 };

struct model_row {
    char method[8], pattern[64];
    struct route route;
};

static uint64_t random_state = 1181783497276652981u;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

static size_t split(const char *path, struct view segments[MODEL_SEGMENTS + 2])
{
    struct view rest = view_of(path + 1);
    size_t count = 0;
    while (rest.data && count < MODEL_SEGMENTS + 2)
        segments[count++] = view_split(&rest, '/');
    return count;
}

static int kind_of(struct view segment)
{
    if (segment.length == 0 || segment.data[0] != '{')
        return 0;
    return view_ends_with(segment, VIEW("...}")) ? 2 : 1;
}

/* Does the pattern match? `kinds` tells how, one digit a segment: a smaller number is better. */
static bool model_matches(const char *pattern, const char *path, char kinds[MODEL_SEGMENTS + 2])
{
    struct view wanted[MODEL_SEGMENTS + 2], given[MODEL_SEGMENTS + 2];
    size_t wanted_count = split(pattern, wanted), given_count = split(path, given);
    for (size_t i = 0; i < wanted_count; i++) {
        int kind = kind_of(wanted[i]);
        kinds[i] = (char)('0' + kind);
        kinds[i + 1] = '\0';
        if (i >= given_count)
            return false;
        if (kind == 2)
            return true;
        if (kind == 0 ? !view_equal(wanted[i], given[i]) : given[i].length == 0)
            return false;
    }
    return wanted_count == given_count;
}

/* The kinds of the best pattern that matches; false when none does. */
static bool model_best(const struct model_row *rows, size_t count, const char *path,
                       char best[MODEL_SEGMENTS + 2])
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        char kinds[MODEL_SEGMENTS + 2] = "";
        if (!model_matches(rows[i].pattern, path, kinds))
            continue;
        if (!found || strcmp(kinds, best) < 0)
            memcpy(best, kinds, sizeof kinds);
        found = true;
    }
    return found;
}

/* The row of that shape with the method, HEAD falling back to GET and both to "*". */
static const struct model_row *model_row(const struct model_row *rows, size_t count,
                                         const char *path, const char *best, const char *method)
{
    const struct model_row *get = NULL, *any = NULL;
    for (size_t i = 0; i < count; i++) {
        char kinds[MODEL_SEGMENTS + 2] = "";
        if (!model_matches(rows[i].pattern, path, kinds) || strcmp(kinds, best) != 0)
            continue;
        if (strcmp(rows[i].method, method) == 0)
            return &rows[i];
        if (strcmp(rows[i].method, "GET") == 0)
            get = &rows[i];
        if (strcmp(rows[i].method, "*") == 0)
            any = &rows[i];
    }
    return strcmp(method, "HEAD") == 0 && get ? get : any;
}

/* A pattern, or with `literal` a path, over a small alphabet, so that much collides. */
static void random_path(char *out, size_t size, bool literal)
{
    static const char *const literals[] = {"a", "b", "c"};
    static const char *const names[] = {"{p}", "{q}", "{r}", "{s}", "{t}"};
    size_t count = 1 + random_below(literal ? MODEL_SEGMENTS + 1 : MODEL_SEGMENTS), length = 0;
    for (size_t i = 0; i < count; i++) {
        const char *part = literals[random_below(3)];
        if (!literal && i < 5 && random_below(3) == 0)
            part = names[i];
        if (i + 1 == count && random_below(5) == 0)
            part = literal || random_below(2) ? "" : "{rest...}";
        length += (size_t)snprintf(out + length, size - length, "/%s", part);
    }
}

static size_t random_table(struct model_row *rows)
{
    static const char *const methods[] = {"GET", "GET", "PUT", "HEAD", "*"};
    size_t count = 0, wanted = 1 + random_below(MODEL_ROWS);
    for (size_t i = 0; i < wanted; i++) {
        struct model_row *row = &rows[count];
        struct error_record error;
        snprintf(row->method, sizeof row->method, "%s", methods[random_below(5)]);
        random_path(row->pattern, sizeof row->pattern, false);
        row->route =
            (struct route){.method = row->method, .pattern = row->pattern, .handler = handler};
        /* A conflict is refused, and the model goes on without it. */
        if (router_add(router, &row->route, "test", NULL, &error) == HEARTH_OK)
            count++;
    }
    return count;
}

static void check_against_model(const struct model_row *rows, size_t count, const char *method,
                                const char *path, size_t outcomes[3])
{
    char best[MODEL_SEGMENTS + 2] = "";
    struct request request;
    bool known = model_best(rows, count, path, best);
    const struct model_row *row = known ? model_row(rows, count, path, best, method) : NULL;
    enum hearth_error result = find(method, path, &request);
    enum hearth_error expected = row     ? HEARTH_OK
                                 : known ? HEARTH_METHOD_NOT_ALLOWED
                                         : HEARTH_NOT_FOUND;
    if (result != expected)
        fail_msg("%s %s: %s, not %s", method, path, error_name(result), error_name(expected));
    if (row && match.target->route != &row->route)
        fail_msg("%s %s: found %s, not %s", method, path, match.target->route->pattern,
                 row->pattern);
    outcomes[row ? 0 : known ? 1 : 2]++;
}

static void random_tables_answer_as_the_model_does(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "PUT", "HEAD", "DELETE"};
    size_t outcomes[3] = {0, 0, 0};
    for (size_t table = 0; table < 300; table++) {
        struct model_row rows[MODEL_ROWS];
        size_t count = random_table(rows);
        for (size_t i = 0; i < 60; i++) {
            char path[64];
            random_path(path, sizeof path, true);
            check_against_model(rows, count, methods[random_below(4)], path, outcomes);
        }
        router_free(router);
        router = router_new();
        assert_non_null(router);
        arena_reset(arena);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(outcomes[i] > 500);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_literal_wins_over_a_parameter_and_that_over_a_tail),
        story(it_backs_off),
        story(slashes_at_the_end_tell_paths_apart),
        story(parameters_are_as_in_the_path),
        story(head_is_served_by_get_unless_it_has_its_own_row),
        story(a_star_takes_every_method_that_no_row_names),
        story(a_known_path_says_which_methods_it_has),
        story(the_path_decides_before_the_method),
        story(two_rows_of_one_method_and_shape_are_refused),
        story(malformed_patterns_are_refused),
        story(methods_that_do_not_fit_into_allow_are_refused),
        story(targets_are_numbered),
        story(a_path_of_thousands_of_segments_is_no_trouble),
        story(without_memory_it_says_so),
        story(random_tables_answer_as_the_model_does),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
