/*
 * test_auth_state.c - the text of state/auth.json: what is taken, and that nothing damaged is.
 */
#include "support.h"

#include "app/core/memory.h"
#include "app/http/auth_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH           "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90"
#define TOKEN(members) "{\"version\":1,\"tokens\":[{" members "}]}"
#define GOOD                                                                                       \
    "\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":\"" HASH "\",\"scopes\":[\"data:"       \
    "write\"]"

static enum hearth_error parse(const char *text, struct auth_state **made)
{
    struct error_record error = {0};
    enum hearth_error outcome = auth_state_parse(view_of(text), made, &error);
    assert_int_equal(*made != NULL, outcome == HEARTH_OK);
    if (outcome != HEARTH_OK)
        assert_true(error.detail[0] != '\0' && !error.public_detail);
    return outcome;
}

static void a_full_token_is_read(void **state)
{
    (void)state;
    struct auth_state *made;
    assert_int_equal(
        parse(TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"caf\\u00e9\",\"sha256\":\"" HASH
                    "\",\"scopes\":[\"data:write\",\"ops:read\"],\"unit\":\"tenths_c\","
                    "\"time_zone\":\"America/Denver\",\"created\":\"2025-09-14T18:04:51.123Z\","
                    "\"revoked\":\"2025-09-15T00:00:00.000Z\""),
              &made),
        HEARTH_OK);
    assert_int_equal(made->count, 1);
    const struct auth_token *token = &made->tokens[0];
    assert_string_equal(token->identity.id, "0123456789abcdef");
    assert_string_equal(token->identity.name, "caf\xc3\xa9");
    assert_int_equal(token->identity.scopes, SCOPE_DATA_WRITE | SCOPE_OPS_READ);
    assert_int_equal(token->identity.unit, UNIT_TENTHS_C);
    assert_string_equal(token->identity.time_zone, "America/Denver");
    assert_int_equal(token->created_ms, INT64_C(1757873091123));
    assert_int_equal(token->revoked_ms, INT64_C(1757894400000));
    auth_state_free(made);
}

static void what_may_be_missing_has_its_default(void **state)
{
    (void)state;
    struct auth_state *made;
    assert_int_equal(parse(TOKEN(GOOD), &made), HEARTH_OK);
    assert_int_equal(made->tokens[0].identity.unit, UNIT_TENTHS_F);
    assert_string_equal(made->tokens[0].identity.time_zone, "UTC");
    assert_int_equal(made->tokens[0].created_ms, 0);
    assert_int_equal(made->tokens[0].revoked_ms, 0);
    auth_state_free(made);
    assert_int_equal(parse("{\"version\":1}", &made), HEARTH_OK);
    assert_int_equal(made->count, 0);
    auth_state_free(made);
}

static void a_token_that_was_revoked_at_the_epoch_is_revoked(void **state)
{
    (void)state;
    struct auth_state *made;
    assert_int_equal(parse(TOKEN(GOOD ",\"revoked\":\"1970-01-01T00:00:00.000Z\""), &made),
                     HEARTH_OK);
    assert_int_not_equal(made->tokens[0].revoked_ms, 0);
    auth_state_free(made);
}

static void what_a_later_version_adds_is_ignored(void **state)
{
    (void)state;
    struct auth_state *made;
    assert_int_equal(parse("{\"users\":[{\"x\":1.5}],\"version\":1,\"session_key\":\"k\","
                           "\"tokens\":[{" GOOD ",\"colour\":[1,2]},{\"id\":"
                           "\"fedcba9876543210\",\"name\":\"b\",\"sha256\":\"" HASH
                           "\",\"scopes\":[\"moon:land\"]}]}",
                           &made),
                     HEARTH_OK);
    assert_int_equal(made->count, 2);
    assert_int_equal(made->tokens[1].identity.scopes, 0);
    auth_state_free(made);
}

static void damaged_states_are_refused_whole(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "",
        "   ",
        "null",
        "[]",
        "12",
        "\"x\"",
        "{",
        "{}",
        "{\"version\":2}",
        "{\"version\":\"1\"}",
        "{\"version\":1.0}",
        "{\"version\":1}x",
        "{\"version\":1,}",
        "{\"version\":1,\"tokens\":{}}",
        "{\"version\":1,\"tokens\":null}",
        "{\"version\":1,\"tokens\":[null]}",
        "{\"version\":1,\"tokens\":[[]]}",
        "{\"version\":1,\"tokens\":[{" GOOD "}",
        TOKEN("\"name\":\"a\",\"sha256\":\"" HASH "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdeg\",\"name\":\"a\",\"sha256\":\"" HASH "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"sha256\":\"" HASH "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"\",\"sha256\":\"" HASH "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\\u0000b\",\"sha256\":\"" HASH
              "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\\u001b\",\"sha256\":\"" HASH
              "\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":\"00\",\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":7,\"scopes\":[]"),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":\"" HASH "\""),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":\"" HASH
              "\",\"scopes\":\"data:write\""),
        TOKEN("\"id\":\"0123456789abcdef\",\"name\":\"a\",\"sha256\":\"" HASH "\",\"scopes\":[1]"),
        TOKEN(GOOD ",\"unit\":\"kelvin\""),
        TOKEN(GOOD ",\"unit\":1"),
        TOKEN(GOOD ",\"time_zone\":\"../../etc/passwd\""),
        TOKEN(GOOD ",\"time_zone\":[]"),
        TOKEN(GOOD ",\"created\":\"yesterday\""),
        TOKEN(GOOD ",\"revoked\":true"),
        TOKEN(GOOD ",\"revoked\":\"\""),
        "{\"version\":1,\"x\":\"\xff\"}",
        "{\"version\":1,\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}",
    };
    struct auth_state *made;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        if (parse(damaged[i], &made) != HEARTH_CORRUPT)
            fail_msg("taken: %s", damaged[i]);
    }
}

static void what_is_wrong_is_said_for_the_log(void **state)
{
    (void)state;
    struct auth_state *made;
    struct error_record error = {0};
    const char *text = "{\"version\":1,\"tokens\":[{" GOOD "},{" GOOD ",\"unit\":\"k\"}]}";
    assert_int_equal(auth_state_parse(view_of(text), &made, &error), HEARTH_CORRUPT);
    assert_string_equal(error.detail, "state/auth.json: token 2: bad unit");
    assert_int_equal(auth_state_parse(VIEW("{\"version\":7}"), &made, &error), HEARTH_CORRUPT);
    assert_string_equal(error.detail, "state/auth.json: version 7, this program knows 1");
}

static void every_prefix_of_a_state_is_refused(void **state)
{
    (void)state;
    static const char text[] = TOKEN(GOOD ",\"unit\":\"c\",\"revoked\":null");
    struct auth_state *made;
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_int_equal(auth_state_parse(view_from(text, length), &made, NULL), HEARTH_CORRUPT);
    assert_int_equal(auth_state_parse(view_from(text, sizeof text - 1), &made, NULL), HEARTH_OK);
    auth_state_free(made);
}

static void a_state_above_its_limit_is_refused(void **state)
{
    (void)state;
    size_t size = (1u << 20) + 2;
    char *text = malloc(size);
    struct auth_state *made;
    assert_non_null(text);
    int length = snprintf(text, size, "{\"version\":1}");
    memset(text + length, ' ', size - (size_t)length);
    assert_int_equal(auth_state_parse(view_from(text, 1u << 20), &made, NULL), HEARTH_OK);
    auth_state_free(made);
    assert_int_equal(auth_state_parse(view_from(text, size), &made, NULL), HEARTH_CORRUPT);
    free(text);
}

static void running_out_of_memory_is_said(void **state)
{
    (void)state;
    struct auth_state *made;
    memory_fail_after(0);
    enum hearth_error outcome = auth_state_parse(VIEW("{\"version\":1}"), &made, NULL);
    memory_fail_after(-1);
    assert_int_equal(outcome, HEARTH_NO_MEMORY);
}

static void the_hash_is_sha_256(void **state)
{
    (void)state;
    static const unsigned char expected[AUTH_HASH_BYTES] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad}; /* FIPS 180-2, appendix B.1 */
    unsigned char hash[AUTH_HASH_BYTES];
    assert_int_equal(auth_hash(VIEW("abc"), hash), HEARTH_OK);
    assert_memory_equal(hash, expected, sizeof hash);
}

static void a_token_is_found_wherever_it_stands(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct auth_state *made = calloc(1, sizeof *made + COUNT * sizeof(struct auth_token));
    assert_non_null(made);
    made->count = COUNT;
    for (int i = 0; i < COUNT; i++)
        memset(made->tokens[i].sha256, i + 1, AUTH_HASH_BYTES);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(auth_state_find(made, made->tokens[i].sha256), &made->tokens[i]);
    unsigned char other[AUTH_HASH_BYTES];
    memset(other, 1, sizeof other);
    other[AUTH_HASH_BYTES - 1] = 2;
    assert_null(auth_state_find(made, other));
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_token_is_read),
        cmocka_unit_test(what_may_be_missing_has_its_default),
        cmocka_unit_test(a_token_that_was_revoked_at_the_epoch_is_revoked),
        cmocka_unit_test(what_a_later_version_adds_is_ignored),
        cmocka_unit_test(damaged_states_are_refused_whole),
        cmocka_unit_test(what_is_wrong_is_said_for_the_log),
        cmocka_unit_test(every_prefix_of_a_state_is_refused),
        cmocka_unit_test(a_state_above_its_limit_is_refused),
        cmocka_unit_test(running_out_of_memory_is_said),
        cmocka_unit_test(the_hash_is_sha_256),
        cmocka_unit_test(a_token_is_found_wherever_it_stands),
    };
    return cmocka_run_group_tests_name("auth: the state's text", tests, NULL, NULL);
}
