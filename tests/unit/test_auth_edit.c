/*
 * test_auth_edit.c - making, revoking and listing tokens, also by several at once.
 */
#include "support.h"

#include "app/http/auth_names.h"
#include "app/http/auth_state.h"
#include "hearth/auth.h"
#include "support_memory_store.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct memory_store memory;
static struct clock_manual manual;
static struct error_record error;

static int setup(void **state)
{
    (void)state;
    memory_store_init(&memory);
    clock_manual_init(&manual, INT64_C(1757873091123)); /* 2025-09-14T18:04:51.123Z */
    error = (struct error_record){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memory_store_clean(&memory);
    return 0;
}

static enum hearth_error make(const char *name, char id[17])
{
    char token[AUTH_TOKEN_SIZE];
    struct auth_token_options options = {.name = name, .scopes = SCOPE_DATA_WRITE};
    return auth_token_new(&memory.store, &manual.clock, &options, token, id, &error);
}

static enum hearth_error end(const char *id_or_name)
{
    return auth_token_revoke(&memory.store, &manual.clock, id_or_name, &error);
}

struct listing {
    size_t count, valid;
    struct auth_token_info last;
};

static void note(void *context, const struct auth_token_info *token)
{
    struct listing *listing = context;
    listing->count++;
    listing->valid += token->revoked_ms == 0;
    listing->last = *token;
}

static struct listing list(struct object_store *store)
{
    struct listing listing = {0};
    assert_int_equal(auth_token_list(store, note, &listing, &error), HEARTH_OK);
    return listing;
}

/* ---- Making ---- */

static void a_token_is_256_random_bits_behind_a_prefix(void **state)
{
    (void)state;
    char tokens[3][AUTH_TOKEN_SIZE], id[17];
    struct auth_token_options options = {.name = "a", .scopes = SCOPE_DATA_WRITE};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            auth_token_new(&memory.store, &manual.clock, &options, tokens[i], id, &error),
            HEARTH_OK);
        assert_int_equal(strlen(tokens[i]), 7 + 43);
        assert_memory_equal(tokens[i], "hearth_", 7);
        assert_int_equal(strspn(tokens[i] + 7,
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-_"),
                         43);
        /* 256 bits in 43 digits of 6 leave two bits of the last one zero. */
        assert_non_null(strchr("AEIMQUYcgkosw048", tokens[i][49]));
        assert_true(auth_id_valid(view_of(id)));
    }
    assert_string_not_equal(tokens[0], tokens[1]);
    assert_string_not_equal(tokens[1], tokens[2]);
}

static void the_state_holds_the_hash_and_never_the_token(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17], hex[2 * AUTH_HASH_BYTES + 1];
    unsigned char hash[AUTH_HASH_BYTES];
    struct auth_token_options options = {.name = "garden station",
                                         .scopes = SCOPE_DATA_WRITE | SCOPE_OPS_READ,
                                         .unit = UNIT_C,
                                         .time_zone = "America/Denver"};
    assert_int_equal(auth_token_new(&memory.store, &manual.clock, &options, token, id, &error),
                     HEARTH_OK);
    assert_int_equal(auth_hash(view_of(token), hash), HEARTH_OK);
    auth_hex_format(hash, sizeof hash, hex);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "{\n  \"version\": 1,\n  \"tokens\": [\n    {\n      \"id\": \"%s\",\n"
             "      \"name\": \"garden station\",\n      \"sha256\": \"%s\",\n"
             "      \"scopes\": [\n        \"data:write\",\n        \"ops:read\"\n      ],\n"
             "      \"unit\": \"c\",\n      \"time_zone\": \"America/Denver\",\n"
             "      \"created\": \"2025-09-14T18:04:51.123Z\",\n      \"revoked\": null\n"
             "    }\n  ]\n}",
             id, hex);
    char *text = memory_store_text(&memory, AUTH_STATE_KEY);
    assert_string_equal(text, expected);
    free(text);
}

static void bad_options_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17], long_name[66];
    memset(long_name, 'n', 65);
    long_name[65] = '\0';
    const struct auth_token_options bad[] = {
        {.name = NULL, .scopes = SCOPE_DATA_WRITE},
        {.name = "", .scopes = SCOPE_DATA_WRITE},
        {.name = "a\nb", .scopes = SCOPE_DATA_WRITE},
        {.name = long_name, .scopes = SCOPE_DATA_WRITE},
        {.name = "0123456789abcdef", .scopes = SCOPE_DATA_WRITE},
        {.name = "a", .scopes = 0},
        {.name = "a", .scopes = SCOPE_DATA_WRITE, .time_zone = "Mars/Olympus"},
        {.name = "a", .scopes = SCOPE_DATA_WRITE, .time_zone = "../../etc/passwd"},
        {.name = "a", .scopes = SCOPE_DATA_WRITE, .time_zone = ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(auth_token_new(&memory.store, &manual.clock, &bad[i], token, id, &error),
                         HEARTH_BAD_REQUEST);
        assert_true(error.public_detail);
    }
    assert_int_equal(memory.puts, 0);
}

/* ---- Revoking ---- */

static void a_token_is_revoked_by_its_id_or_its_name(void **state)
{
    (void)state;
    char first[17], second[17];
    assert_int_equal(make("first", first), HEARTH_OK);
    assert_int_equal(make("second", second), HEARTH_OK);
    clock_manual_advance_ms(&manual, 5000);
    assert_int_equal(end(first), HEARTH_OK);
    assert_int_equal(list(&memory.store).valid, 1);
    assert_int_equal(end("second"), HEARTH_OK);
    struct listing listing = list(&memory.store);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.valid, 0);
    assert_string_equal(listing.last.identity.id, second);
    assert_int_equal(listing.last.created_ms, INT64_C(1757873091123));
    assert_int_equal(listing.last.revoked_ms, INT64_C(1757873096123));
}

static void a_revoked_token_stays_revoked_since_the_first_time(void **state)
{
    (void)state;
    char id[17];
    assert_int_equal(make("a", id), HEARTH_OK);
    assert_int_equal(end(id), HEARTH_OK);
    int puts = memory.puts;
    clock_manual_advance_ms(&manual, 5000);
    assert_int_equal(end(id), HEARTH_OK);
    assert_int_equal(end("a"), HEARTH_OK);
    assert_int_equal(memory.puts, puts);
    assert_int_equal(list(&memory.store).last.revoked_ms, INT64_C(1757873091123));
}

static void a_name_that_several_valid_tokens_have_is_not_enough(void **state)
{
    (void)state;
    char first[17], second[17];
    assert_int_equal(make("twin", first), HEARTH_OK);
    assert_int_equal(make("twin", second), HEARTH_OK);
    assert_int_equal(end("twin"), HEARTH_CONFLICT);
    assert_string_equal(error.detail, "2 valid tokens have the name \"twin\": say which by its id");
    assert_int_equal(end(second), HEARTH_OK);
    assert_int_equal(end("twin"), HEARTH_OK); /* only the first one is left */
    assert_int_equal(list(&memory.store).valid, 0);
}

static void what_no_token_has_is_not_found(void **state)
{
    (void)state;
    char id[17];
    assert_int_equal(end("nobody"), HEARTH_NOT_FOUND);
    assert_int_equal(make("a", id), HEARTH_OK);
    assert_int_equal(end("nobody"), HEARTH_NOT_FOUND);
    assert_int_equal(end(""), HEARTH_NOT_FOUND);
}

/* ---- The rest of the object ---- */

static void members_of_others_are_kept(void **state)
{
    (void)state;
    char id[17];
    memory_store_set(
        &memory, AUTH_STATE_KEY,
        "{\"users\":[{\"name\":\"ada\",\"n\":1.50,\"big\":9007199254740993}],"
        "\"version\":1,\"tokens\":[{\"id\":\"0123456789abcdef\",\"name\":\"old\","
        "\"sha256\":\"2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90\","
        "\"scopes\":[\"moon:land\",\"data:read\"],\"colour\":\"red\"}],"
        "\"session_key\":\"a/b\"}");
    assert_int_equal(make("new", id), HEARTH_OK);
    assert_int_equal(end("old"), HEARTH_OK);
    char *text = memory_store_text(&memory, AUTH_STATE_KEY);
    assert_non_null(strstr(text, "\"name\": \"ada\""));
    assert_non_null(strstr(text, "\"n\": 1.50"));
    assert_non_null(strstr(text, "\"big\": 9007199254740993"));
    assert_non_null(strstr(text, "\"session_key\": \"a/b\""));
    assert_non_null(strstr(text, "\"moon:land\""));
    assert_non_null(strstr(text, "\"colour\": \"red\""));
    free(text);
    assert_int_equal(list(&memory.store).count, 2);
    assert_int_equal(list(&memory.store).valid, 1);
}

static void a_damaged_state_is_left_alone(void **state)
{
    (void)state;
    static const char *const damaged[] = {"{\"version\":1,", "", "{\"version\":2,\"tokens\":[]}",
                                          "{\"version\":1,\"tokens\":[{}]}"};
    char id[17];
    struct listing listing = {0};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        memory_store_set(&memory, AUTH_STATE_KEY, damaged[i]);
        assert_int_equal(make("a", id), HEARTH_CORRUPT);
        assert_int_equal(end("a"), HEARTH_CORRUPT);
        assert_int_equal(auth_token_list(&memory.store, note, &listing, &error), HEARTH_CORRUPT);
        char *text = memory_store_text(&memory, AUTH_STATE_KEY);
        assert_string_equal(text, damaged[i]);
        free(text);
    }
    assert_int_equal(memory.puts, 0);
}

static void a_failing_store_is_told_as_it_failed(void **state)
{
    (void)state;
    char token[AUTH_TOKEN_SIZE], id[17];
    struct auth_token_options options = {.name = "a", .scopes = SCOPE_DATA_WRITE};
    memory.fail = HEARTH_DISK_FULL;
    assert_int_equal(auth_token_new(&memory.store, &manual.clock, &options, token, id, &error),
                     HEARTH_DISK_FULL);
    assert_string_equal(token, ""); /* what was not stored is not handed out */
}

static void too_many_tokens_are_refused_before_they_cannot_be_read(void **state)
{
    (void)state;
    char id[17];
    size_t size = (1u << 20) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    int head = snprintf(text, size, "{\"version\":1,\"filler\":\"");
    memset(text + head, 'x', size - (size_t)head);
    memcpy(text + size - 1 - 2, "\"}", 3);
    memory_store_set(&memory, AUTH_STATE_KEY, text);
    assert_int_equal(list(&memory.store).count, 0);
    assert_int_equal(make("a", id), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(memory.puts, 0);
    free(text);
}

/* ---- Several at once ---- */

static int interferences;

/* Another one stores a token between our read and our put. */
static void interfere(struct memory_store *store, void *unused)
{
    char id[17];
    (void)unused;
    if (interferences == 0)
        return;
    interferences--;
    store->before_put = NULL;
    assert_int_equal(make("theirs", id), HEARTH_OK);
    store->before_put = interfere;
}

static void an_edit_that_was_overtaken_is_done_again_on_what_is_there(void **state)
{
    (void)state;
    char id[17];
    memory.before_put = interfere;
    interferences = 19;
    assert_int_equal(make("ours", id), HEARTH_OK);
    struct listing listing = list(&memory.store);
    assert_int_equal(listing.count, 20);
    assert_string_equal(listing.last.identity.name, "ours");
}

static void an_edit_that_is_overtaken_for_ever_gives_up(void **state)
{
    (void)state;
    char id[17];
    memory.before_put = interfere;
    interferences = 1000;
    assert_int_equal(make("ours", id), HEARTH_PRECONDITION_FAILED);
    assert_int_equal(1000 - interferences, 20);
    assert_int_equal(list(&memory.store).count, 20);
}

enum { PROCESSES = 12, TOKENS_EACH = 4 };

/* What one `hearth token` after the other does. */
static int make_several(const char *directory, int number)
{
    struct object_store *store = directory_store_new(directory, NULL);
    int failed = store == NULL;
    for (int i = 0; i < TOKENS_EACH && !failed; i++) {
        char token[AUTH_TOKEN_SIZE], id[17], name[48];
        struct auth_token_options options = {.name = name, .scopes = SCOPE_DATA_WRITE};
        snprintf(name, sizeof name, "process %d token %d", number, i);
        failed = auth_token_new(store, &clock_system, &options, token, id, NULL) != HEARTH_OK;
        if (!failed && i == 0)
            failed = auth_token_revoke(store, &clock_system, id, NULL) != HEARTH_OK;
    }
    if (store)
        store->free(store);
    return failed;
}

static void many_processes_at_once_lose_no_token(void **state)
{
    (void)state;
    char *directory = test_directory_make();
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(make_several(directory, i));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct object_store *store = directory_store_new(directory, &error);
    assert_non_null(store);
    struct listing listing = list(store);
    assert_int_equal(listing.count, PROCESSES * TOKENS_EACH);
    assert_int_equal(listing.valid, PROCESSES * (TOKENS_EACH - 1));
    store->free(store);
    test_directory_remove(directory);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(a_token_is_256_random_bits_behind_a_prefix),
        STORY(the_state_holds_the_hash_and_never_the_token),
        STORY(bad_options_are_refused_and_nothing_is_written),
        STORY(a_token_is_revoked_by_its_id_or_its_name),
        STORY(a_revoked_token_stays_revoked_since_the_first_time),
        STORY(a_name_that_several_valid_tokens_have_is_not_enough),
        STORY(what_no_token_has_is_not_found),
        STORY(members_of_others_are_kept),
        STORY(a_damaged_state_is_left_alone),
        STORY(a_failing_store_is_told_as_it_failed),
        STORY(too_many_tokens_are_refused_before_they_cannot_be_read),
        STORY(an_edit_that_was_overtaken_is_done_again_on_what_is_there),
        STORY(an_edit_that_is_overtaken_for_ever_gives_up),
        STORY(many_processes_at_once_lose_no_token),
    };
    return cmocka_run_group_tests_name("auth: editing", tests, NULL, NULL);
}
