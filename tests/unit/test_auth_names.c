/*
 * test_auth_names.c - scopes, units, names, zones and times in the auth state, and the token in an
 * Authorization header.
 */
#include "support.h"

#include "app/http/auth_header.h"
#include "app/http/auth_names.h"

#include <stdio.h>
#include <string.h>

static void scopes_have_names_both_ways(void **state)
{
    (void)state;
    assert_string_equal(auth_scope_name(SCOPE_DATA_READ), "data:read");
    assert_string_equal(auth_scope_name(SCOPE_OPS_WRITE), "ops:write");
    assert_null(auth_scope_name((enum auth_scope)(SCOPE_DATA_READ | SCOPE_DATA_WRITE)));
    assert_null(auth_scope_name((enum auth_scope)0));
    for (unsigned scope = 1; scope <= SCOPE_OPS_WRITE; scope <<= 1)
        assert_int_equal(auth_scope_of(view_of(auth_scope_name((enum auth_scope)scope))), scope);
}

static void lists_of_scopes_are_all_known_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(auth_scopes_parse(VIEW("data:write")), SCOPE_DATA_WRITE);
    assert_int_equal(auth_scopes_parse(VIEW("data:write, ops:read ,data:write")),
                     SCOPE_DATA_WRITE | SCOPE_OPS_READ);
    assert_int_equal(auth_scopes_parse(VIEW("")), 0);
    assert_int_equal(auth_scopes_parse(VIEW_NONE), 0);
    assert_int_equal(auth_scopes_parse(VIEW("data:write,")), 0);
    assert_int_equal(auth_scopes_parse(VIEW("data:write,data:wipe")), 0);
    assert_int_equal(auth_scopes_parse(VIEW("DATA:WRITE")), 0);
    assert_int_equal(auth_scopes_parse(VIEW("data:write data:read")), 0);
}

static void scopes_are_written_as_a_list_that_is_cut_not_overflowed(void **state)
{
    (void)state;
    char text[128], small[12];
    auth_scopes_format(SCOPE_OPS_READ | SCOPE_DATA_READ, text, sizeof text);
    assert_string_equal(text, "data:read,ops:read");
    auth_scopes_format(0, text, sizeof text);
    assert_string_equal(text, "");
    auth_scopes_format(~0u, small, sizeof small);
    assert_string_equal(small, "data:read,d");
    auth_scopes_format(~0u, text, sizeof text);
    assert_int_equal(auth_scopes_parse(view_of(text)), 63);
}

static void units_have_names_both_ways(void **state)
{
    (void)state;
    enum temperature_unit unit = UNIT_C;
    assert_true(temperature_unit_parse(VIEW("tenths_f"), &unit));
    assert_int_equal(unit, UNIT_TENTHS_F);
    assert_true(temperature_unit_parse(VIEW("c"), &unit));
    assert_string_equal(temperature_unit_name(unit), "c");
    assert_false(temperature_unit_parse(VIEW("k"), &unit));
    assert_false(temperature_unit_parse(VIEW(""), &unit));
    assert_int_equal(unit, UNIT_C);
}

static void names_print(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'n', sizeof long_name);
    assert_true(auth_name_valid(VIEW("garden station")));
    assert_true(auth_name_valid(VIEW("B\xc3\xa4rbel \xf0\x9f\x8c\xa1")));
    assert_true(auth_name_valid(view_from(long_name, 64)));
    assert_false(auth_name_valid(view_from(long_name, 65)));
    assert_false(auth_name_valid(VIEW("")));
    assert_false(auth_name_valid(VIEW(" x")));
    assert_false(auth_name_valid(VIEW("x ")));
    assert_false(auth_name_valid(VIEW("a\nb")));
    assert_false(auth_name_valid(VIEW("a\0b")));
    assert_false(auth_name_valid(VIEW("a\x7f")));
    assert_false(auth_name_valid(VIEW("a\x1b[31m")));
    assert_false(auth_name_valid(VIEW("a\xc2\x9b"
                                      "31m"))); /* the C1 form of the same */
    assert_false(auth_name_valid(VIEW("a\xff")));
}

static void zones_cannot_leave_their_directory(void **state)
{
    (void)state;
    assert_true(auth_zone_valid(VIEW("America/Argentina/Buenos_Aires")));
    assert_true(auth_zone_valid(VIEW("Etc/GMT+5")));
    assert_false(auth_zone_valid(VIEW("")));
    assert_false(auth_zone_valid(VIEW("/etc/passwd")));
    assert_false(auth_zone_valid(VIEW("../../etc/passwd")));
    assert_false(auth_zone_valid(VIEW("America/..")));
    assert_false(auth_zone_valid(VIEW("America//Denver")));
    assert_false(auth_zone_valid(VIEW("America/")));
    assert_false(auth_zone_valid(VIEW("America/Denver\0x")));
}

static void zones_exist_when_there_is_a_zone_file(void **state)
{
    (void)state;
    assert_true(auth_zone_exists("UTC"));
    assert_true(auth_zone_exists("America/Denver"));
    assert_false(auth_zone_exists("America/Dever"));
    assert_false(auth_zone_exists("America"));  /* a directory */
    assert_false(auth_zone_exists("zone.tab")); /* no zone file, and no valid name */
    assert_false(auth_zone_exists("tzdata"));
    assert_false(auth_zone_exists(""));
}

static void times_have_one_form(void **state)
{
    (void)state;
    int64_t wall_ms = -1;
    assert_true(auth_time_parse(VIEW("2025-09-14T18:04:51.123Z"), &wall_ms));
    assert_int_equal(wall_ms, INT64_C(1757873091123));
    assert_true(auth_time_parse(VIEW("1970-01-01T00:00:00.000Z"), &wall_ms));
    assert_int_equal(wall_ms, 0);
    assert_false(auth_time_parse(VIEW("2025-09-14T18:04:51Z"), &wall_ms));
    assert_false(auth_time_parse(VIEW("2025-09-14 18:04:51.123Z"), &wall_ms));
    assert_false(auth_time_parse(VIEW("2025-02-30T18:04:51.123Z"), &wall_ms));
    assert_false(auth_time_parse(VIEW("2025-09-14T24:04:51.123Z"), &wall_ms));
    assert_false(auth_time_parse(VIEW("2025-09-14T18:04:51.123+"), &wall_ms));
    assert_false(auth_time_parse(VIEW("2025-09-1xT18:04:51.123Z"), &wall_ms));
    assert_false(auth_time_parse(VIEW(""), &wall_ms));
}

static void hex_digits_are_lower_case_and_complete(void **state)
{
    (void)state;
    unsigned char bytes[3];
    char text[7];
    assert_true(auth_hex_parse(VIEW("00ff9a"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\x9a", 3);
    auth_hex_format(bytes, 3, text);
    assert_string_equal(text, "00ff9a");
    assert_false(auth_hex_parse(VIEW("00FF9A"), bytes, 3));
    assert_false(auth_hex_parse(VIEW("00ff9"), bytes, 3));
    assert_false(auth_hex_parse(VIEW("00ff9a0"), bytes, 3));
    assert_false(auth_hex_parse(VIEW("00gf9a"), bytes, 3));
    assert_true(auth_id_valid(VIEW("0123456789abcdef")));
    assert_false(auth_id_valid(VIEW("0123456789abcde")));
}

/* ---- The header ---- */

static void expect_token(struct view header, const char *token)
{
    char decoded[AUTH_BASIC_MAXIMUM];
    struct view found = auth_header_token(header, decoded);
    if (!view_equal(found, view_of(token)))
        fail_msg("\"%.*s\" has the token \"%.*s\", not \"%s\"", VIEW_ARGUMENTS(header),
                 VIEW_ARGUMENTS(found), token);
}

static void a_header_carries_a_token_in_four_forms(void **state)
{
    (void)state;
    expect_token(VIEW("Bearer secret"), "secret");
    expect_token(VIEW("bearer secret"), "secret");
    expect_token(VIEW("Token secret"), "secret");
    expect_token(VIEW("Token (null)"), "(null)");
    expect_token(VIEW("secret"), "secret");
    expect_token(VIEW("  Bearer   secret  "), "secret");
    expect_token(VIEW("Basic dXNlcjpzZWNyZXQ="), "secret"); /* user:secret */
    expect_token(VIEW("Basic dXNlcjpzZWNyZXQ"), "secret");  /* without its padding */
    expect_token(VIEW("BASIC OnNlY3JldA=="), "secret");     /* :secret */
    expect_token(VIEW("Basic dTphOmI6Yw=="), "a:b:c");      /* u:a:b:c */
    expect_token(VIEW("Basic dTo/Pz8+Pj4="), "?\?\?>>>");   /* '/' and '+' of the alphabet */
}

static void a_header_without_a_token_gives_none(void **state)
{
    (void)state;
    expect_token(VIEW(""), "");
    expect_token(VIEW_NONE, "");
    expect_token(VIEW("   "), "");
    expect_token(VIEW("Bearer "), "Bearer"); /* a bare word, which no token is */
    expect_token(VIEW("Digest username=\"x\""), "");
    expect_token(VIEW("Basic dXNlcg=="), ""); /* "user", no colon */
    expect_token(VIEW("Basic !!!!"), "");
    expect_token(VIEW("Basic dXNlcjpzZWNyZX="), "secre"); /* cut, still base64 */
    expect_token(VIEW("Basic d"), "");
    expect_token(VIEW("Basic =="), "");
}

static void credentials_that_are_too_long_give_none(void **state)
{
    (void)state;
    char header[6 + 1368 + 1];
    int length = snprintf(header, sizeof header, "Basic Ojo6"); /* ":::", and then anything */
    memset(header + length, 'O', sizeof header - (size_t)length);
    char decoded[AUTH_BASIC_MAXIMUM];
    assert_int_equal(auth_header_token(view_from(header, 6 + 1364), decoded).length, 1022);
    assert_int_equal(auth_header_token(view_from(header, 6 + 1368), decoded).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_have_names_both_ways),
        cmocka_unit_test(lists_of_scopes_are_all_known_or_nothing),
        cmocka_unit_test(scopes_are_written_as_a_list_that_is_cut_not_overflowed),
        cmocka_unit_test(units_have_names_both_ways),
        cmocka_unit_test(names_print),
        cmocka_unit_test(zones_cannot_leave_their_directory),
        cmocka_unit_test(zones_exist_when_there_is_a_zone_file),
        cmocka_unit_test(times_have_one_form),
        cmocka_unit_test(hex_digits_are_lower_case_and_complete),
        cmocka_unit_test(a_header_carries_a_token_in_four_forms),
        cmocka_unit_test(a_header_without_a_token_gives_none),
        cmocka_unit_test(credentials_that_are_too_long_give_none),
    };
    return cmocka_run_group_tests_name("auth: names and headers", tests, NULL, NULL);
}
