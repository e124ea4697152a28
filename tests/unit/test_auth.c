/*
 * test_auth.c - who is let in, and when changes are seen.
 */
#include "support.h"

#include "app/http/auth_state.h"
#include "hearth/auth.h"
#include "support_memory_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 1000 };

static struct memory_store memory;
static struct clock_manual manual;
static struct auth *auth;
static char log_path[512];
static char *directory;

static int setup(void **state)
{
    (void)state;
    directory = test_directory_make();
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    assert_int_equal(log_configure(&(struct log_options){.file = log_path}), HEARTH_OK);
    memory_store_init(&memory);
    clock_manual_init(&manual, INT64_C(1757873091123));
    auth = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_free(auth);
    memory_store_clean(&memory);
    assert_int_equal(log_configure(&(struct log_options){0}), HEARTH_OK);
    test_directory_remove(directory);
    return 0;
}

static void start(void)
{
    auth = auth_new(&memory.store, &manual.clock, INTERVAL_MS);
    assert_non_null(auth);
}

static void make_token(const char *name, unsigned scopes, char token[AUTH_TOKEN_SIZE], char id[17])
{
    struct auth_token_options options = {
        .name = name, .scopes = scopes, .unit = UNIT_TENTHS_C, .time_zone = "America/Denver"};
    assert_int_equal(auth_token_new(&memory.store, &manual.clock, &options, token, id, NULL),
                     HEARTH_OK);
}

static enum hearth_error check(const char *token, unsigned scopes)
{
    struct auth_identity identity;
    return auth_check(auth, view_of(token), scopes, &identity);
}

static size_t log_lines_with(const char *word)
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen(log_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, word) != NULL;
    fclose(file);
    return count;
}

static void a_token_lets_in_for_its_scopes_and_says_whose_it_is(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    struct auth_identity identity;
    make_token("garden", SCOPE_DATA_WRITE | SCOPE_DATA_READ, token, id);
    start();
    assert_int_equal(auth_check(auth, view_of(token), SCOPE_DATA_WRITE, &identity), HEARTH_OK);
    assert_string_equal(identity.id, id);
    assert_string_equal(identity.name, "garden");
    assert_int_equal(identity.scopes, SCOPE_DATA_WRITE | SCOPE_DATA_READ);
    assert_int_equal(identity.unit, UNIT_TENTHS_C);
    assert_string_equal(identity.time_zone, "America/Denver");
    assert_int_equal(check(token, 0), HEARTH_OK);
    assert_int_equal(check(token, SCOPE_DATA_READ | SCOPE_DATA_WRITE), HEARTH_OK);
}

static void a_missing_scope_is_forbidden_and_the_identity_known(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    struct auth_identity identity;
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    assert_int_equal(auth_check(auth, view_of(token), SCOPE_DATA_WRITE | SCOPE_OPS_READ, &identity),
                     HEARTH_FORBIDDEN);
    assert_string_equal(identity.id, id);
}

static void other_texts_are_unauthorized(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    struct auth_identity identity;
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    assert_int_equal(auth_check(auth, VIEW("(null)"), 0, &identity), HEARTH_UNAUTHORIZED);
    assert_string_equal(identity.id, "");
    assert_int_equal(auth_check(auth, VIEW_NONE, 0, &identity), HEARTH_UNAUTHORIZED);
    assert_int_equal(check(id, 0), HEARTH_UNAUTHORIZED);
    token[strlen(token) - 1] ^= 1;
    assert_int_equal(check(token, 0), HEARTH_UNAUTHORIZED);
    token[strlen(token) - 1] = '\0';
    assert_int_equal(check(token, 0), HEARTH_UNAUTHORIZED);
}

static void without_an_object_there_are_no_tokens(void **state)
{
    (void)state;
    start();
    assert_int_equal(check("x", 0), HEARTH_UNAUTHORIZED);
    assert_int_equal(log_lines_with("auth_state_not_read"), 0);
}

static void a_new_token_is_let_in_once_the_interval_has_passed(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    start();
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    clock_manual_advance_ms(&manual, INTERVAL_MS - 1);
    assert_int_equal(check(token, 0), HEARTH_UNAUTHORIZED);
    clock_manual_advance_ms(&manual, 1);
    assert_int_equal(check(token, 0), HEARTH_OK);
}

static void a_revoked_token_is_refused_within_the_interval(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    assert_int_equal(check(token, 0), HEARTH_OK);
    assert_int_equal(auth_token_revoke(&memory.store, &manual.clock, id, NULL), HEARTH_OK);
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_UNAUTHORIZED);
}

static void an_unchanged_object_is_asked_for_once_an_interval_and_not_read_again(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    memory.heads = memory.gets = 0;
    start();
    for (int interval = 0; interval < 5; interval++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(check(token, 0), HEARTH_OK);
        clock_manual_advance_ms(&manual, INTERVAL_MS);
    }
    assert_int_equal(memory.heads, 5);
    assert_int_equal(memory.gets, 1);
}

static void an_object_that_goes_away_takes_its_tokens_with_it(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    assert_int_equal(memory.store.remove(&memory.store, AUTH_STATE_KEY, VIEW_NONE, NULL),
                     HEARTH_OK);
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_UNAUTHORIZED);
    make_token("again", SCOPE_DATA_WRITE, token, id);
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_OK);
}

static void a_broken_state_leaves_the_last_good_one_and_is_logged_once_a_change(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    char *good = memory_store_text(&memory, AUTH_STATE_KEY);
    start();
    memory_store_set(&memory, AUTH_STATE_KEY, "{\"version\":1,");
    for (int i = 0; i < 3; i++) {
        clock_manual_advance_ms(&manual, INTERVAL_MS);
        assert_int_equal(check(token, 0), HEARTH_OK);
    }
    assert_int_equal(log_lines_with("auth_state_not_read"), 1);
    assert_int_equal(log_lines_with("\"reason\":\"CORRUPT\""), 1);
    memory_store_set(&memory, AUTH_STATE_KEY, "{\"version\":1,\"tokens\":7}");
    for (int i = 0; i < 3; i++) {
        clock_manual_advance_ms(&manual, INTERVAL_MS);
        assert_int_equal(check(token, 0), HEARTH_OK);
    }
    assert_int_equal(log_lines_with("auth_state_not_read"), 2);
    memory_store_set(&memory, AUTH_STATE_KEY, good);
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_OK);
    assert_int_equal(log_lines_with("auth_state_not_read"), 2);
    free(good);
}

static void a_store_that_fails_leaves_the_last_good_state_and_is_logged_once(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    memory.fail = HEARTH_IO;
    for (int i = 0; i < 3; i++) {
        clock_manual_advance_ms(&manual, INTERVAL_MS);
        assert_int_equal(check(token, 0), HEARTH_OK);
    }
    assert_int_equal(log_lines_with("auth_state_not_read"), 1);
    memory.fail = HEARTH_OK;
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_OK);
    memory.fail = HEARTH_IO;
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_OK);
    assert_int_equal(log_lines_with("auth_state_not_read"), 2);
}

static void a_state_that_was_never_readable_makes_checks_unavailable(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    memory.fail = HEARTH_UNAVAILABLE;
    start();
    assert_int_equal(check(token, 0), HEARTH_UNAVAILABLE);
    memory.fail = HEARTH_OK;
    assert_int_equal(check(token, 0), HEARTH_UNAVAILABLE); /* not before the interval */
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_int_equal(check(token, 0), HEARTH_OK);
}

static void expect_unready(const char *text, const char *expected)
{
    char why[128] = "";
    memory_store_set(&memory, AUTH_STATE_KEY, text);
    start();
    assert_false(auth_is_ready(auth, why, sizeof why));
    assert_string_equal(why, expected);
    auth_free(auth);
    auth = NULL;
}

static void it_is_unready_while_no_token_can_be_checked_and_says_why(void **state)
{
    (void)state;
    expect_unready("{\"version\": 1, \"tok", "no token can be checked: state/auth.json is empty or "
                                             "cut off: its JSON does not end");
    expect_unready("",
                   "no token can be checked: state/auth.json is empty or cut off: its JSON does "
                   "not end");
    expect_unready("[]", "no token can be checked: state/auth.json is not a JSON object");
    expect_unready("no", "no token can be checked: state/auth.json is not JSON: null expected");
    expect_unready("{}", "no token can be checked: state/auth.json: no version");
    memory.fail = HEARTH_IO;
    expect_unready("{}", "no token can be checked: state/auth.json cannot be read");
    memory.fail = HEARTH_OK;
}

static void it_is_ready_again_once_the_state_is_mended_and_stays_so(void **state)
{
    (void)state;
    char why[128];
    memory_store_set(&memory, AUTH_STATE_KEY, "{");
    start();
    assert_false(auth_is_ready(auth, why, sizeof why));
    memory_store_set(&memory, AUTH_STATE_KEY, "{\"version\": 1}");
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_true(auth_is_ready(auth, why, sizeof why));
    memory_store_set(&memory, AUTH_STATE_KEY, "{"); /* the last good one still counts */
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    assert_true(auth_is_ready(auth, why, sizeof why));
}

static void the_log_never_shows_a_token(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    (void)check(token, SCOPE_OPS_WRITE);
    memory_store_set(&memory, AUTH_STATE_KEY, "{");
    clock_manual_advance_ms(&manual, INTERVAL_MS);
    (void)check(token, 0);
    assert_true(log_lines_with("auth_state") > 0);
    assert_int_equal(log_lines_with(token), 0);
}

/* ---- Requests ---- */

static enum hearth_error require(const char *headers, unsigned scopes, char *detail, size_t size)
{
    struct arena *arena = arena_new(1 << 20);
    struct request request;
    struct auth_identity identity;
    struct test_request input = {.method = "GET", .target = "/", .headers = headers};
    assert_int_equal(test_parse(arena, &input, &request), HEARTH_OK);
    enum hearth_error outcome = auth_require(auth, &request, scopes, &identity);
    snprintf(detail, size, "%s", request.error->detail);
    if (outcome != HEARTH_OK)
        assert_true(request.error->public_detail);
    arena_free(arena);
    return outcome;
}

static void a_request_is_let_in_by_its_authorization_header(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17], headers[300], detail[240];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    static const char *const forms[] = {"Authorization: Bearer %s\n", "authorization: Token %s\n",
                                        "AUTHORIZATION: %s\n"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *colon = strchr(forms[i], '%');
        snprintf(headers, sizeof headers, "%.*s%s\n", (int)(colon - forms[i]), forms[i], token);
        assert_int_equal(require(headers, SCOPE_DATA_WRITE, detail, sizeof detail), HEARTH_OK);
    }
    assert_int_equal(require(headers, SCOPE_DATA_WRITE | SCOPE_OPS_READ, detail, sizeof detail),
                     HEARTH_FORBIDDEN);
    assert_string_equal(detail, "the token lacks the scope ops:read");
}

static void a_request_without_a_good_token_is_told_so(void **state)
{
    (void)state;
    char detail[240];
    start();
    assert_int_equal(require(NULL, 0, detail, sizeof detail), HEARTH_UNAUTHORIZED);
    assert_string_equal(detail, "a token is needed: Authorization: Bearer TOKEN");
    assert_int_equal(require("Authorization: Bearer x\n", 0, detail, sizeof detail),
                     HEARTH_UNAUTHORIZED);
    assert_string_equal(detail, "the token is not known, or was revoked");
    assert_int_equal(require("Authorization: Digest x=y\n", 0, detail, sizeof detail),
                     HEARTH_UNAUTHORIZED);
}

static void two_authorization_headers_are_one_too_many(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17], headers[300], detail[240];
    make_token("garden", SCOPE_DATA_WRITE, token, id);
    start();
    snprintf(headers, sizeof headers, "Authorization: %s\nAuthorization: %s\n", token, token);
    assert_int_equal(require(headers, 0, detail, sizeof detail), HEARTH_UNAUTHORIZED);
    assert_string_equal(detail, "there are 2 Authorization headers");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(a_token_lets_in_for_its_scopes_and_says_whose_it_is),
        STORY(a_missing_scope_is_forbidden_and_the_identity_known),
        STORY(other_texts_are_unauthorized),
        STORY(without_an_object_there_are_no_tokens),
        STORY(a_new_token_is_let_in_once_the_interval_has_passed),
        STORY(a_revoked_token_is_refused_within_the_interval),
        STORY(an_unchanged_object_is_asked_for_once_an_interval_and_not_read_again),
        STORY(an_object_that_goes_away_takes_its_tokens_with_it),
        STORY(a_broken_state_leaves_the_last_good_one_and_is_logged_once_a_change),
        STORY(a_store_that_fails_leaves_the_last_good_state_and_is_logged_once),
        STORY(a_state_that_was_never_readable_makes_checks_unavailable),
        STORY(it_is_unready_while_no_token_can_be_checked_and_says_why),
        STORY(it_is_ready_again_once_the_state_is_mended_and_stays_so),
        STORY(the_log_never_shows_a_token),
        STORY(a_request_is_let_in_by_its_authorization_header),
        STORY(a_request_without_a_good_token_is_told_so),
        STORY(two_authorization_headers_are_one_too_many),
    };
    return cmocka_run_group_tests_name("auth: who is let in", tests, NULL, NULL);
}
