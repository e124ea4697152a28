/*
 * test_request_forwarded.c - who the client is when a proxy speaks for it: trust lists, the walk
 * over hops, forgeries, and who counts as this machine.
 */
#include <stdio.h>
#include <string.h>

#include "hearth/limits.h"
#include "support.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(LIMIT_ARENA_BYTES);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* ---- Trust lists ---- */

static struct trust_list *list_of(const char *items)
{
    const char *texts[8];
    struct view rest = view_of(items);
    size_t count = 0;
    char why[256] = "";
    while (rest.length > 0)
        texts[count++] = arena_copy(arena, view_split(&rest, ' ')).data;
    struct trust_list *list = trust_list_new(texts, count, why, sizeof why);
    if (!list)
        fail_msg("%s: %s", items, why);
    return list;
}

static bool trusts(const char *items, const char *address)
{
    struct trust_list *list = list_of(items);
    bool has = trust_list_has(list, view_of(address));
    trust_list_free(list);
    return has;
}

static void a_list_has_addresses_and_ranges(void **state)
{
    (void)state;
    assert_true(trusts("10.0.0.1", "10.0.0.1"));
    assert_false(trusts("10.0.0.1", "10.0.0.2"));
    assert_true(trusts("10.0.0.0/8", "10.255.0.1"));
    assert_false(trusts("10.0.0.0/8", "11.0.0.1"));
    assert_true(trusts("192.168.4.0/22", "192.168.7.255"));
    assert_false(trusts("192.168.4.0/22", "192.168.8.0"));
    assert_true(trusts("192.168.1.7/31", "192.168.1.6"));
    assert_true(trusts("0.0.0.0/0", "8.8.8.8"));
    assert_false(trusts("0.0.0.0/0", "2001:db8::1"));
    assert_true(trusts("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(trusts("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(trusts("::/0", "2001:db8::1"));
    assert_true(trusts("2001:DB8:0::1", "2001:db8::1"));
    assert_true(trusts("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(trusts("1.2.3.4 10.0.0.1", "10.0.0.1"));
    assert_false(trusts("", "10.0.0.1"));
    assert_false(trust_list_has(NULL, VIEW("10.0.0.1")));
}

static void loopback_and_unix_have_names(void **state)
{
    (void)state;
    assert_true(trusts("loopback", "127.0.0.1"));
    assert_true(trusts("loopback", "127.200.0.1"));
    assert_true(trusts("loopback", "::1"));
    assert_false(trusts("loopback", "10.0.0.1"));
    assert_false(trusts("loopback", ""));
    assert_true(trusts("unix", ""));
    assert_true(trusts("unix", "unix:"));
    assert_false(trusts("unix", "127.0.0.1"));
    assert_false(trusts("::/0 0.0.0.0/0", ""));
    assert_false(trusts("::/0 0.0.0.0/0", "nonsense"));
}

static void what_is_no_address_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "10.0.0",    "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/x",  "::/129",
        "proxy",     "10.0.0.1:80", "[::1]",        "10.0.0.0/-1", "",
        "010.0.0.1", "Unix",        "fe80::1%eth0", "1.2.3.4/8/9", "300.1.1.1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char why[256] = "", expected[64];
        assert_null(trust_list_new(&bad[i], 1, why, sizeof why));
        snprintf(expected, sizeof expected, "\"%s\" is no address", bad[i]);
        assert_memory_equal(why, expected, strlen(expected));
    }
}

/* ---- The client ---- */

struct seen {
    struct request request;
    const char *client, *scheme, *host;
};

/* What a request from `peer` looks like where `trusted` is trusted. */
static struct seen look(const char *trusted, const char *peer, const char *headers)
{
    struct trust_list *list = list_of(trusted);
    struct request_limits limits = {.max_head_bytes = 65536,
                                    .max_headers = 200,
                                    .max_header_bytes = 16384,
                                    .max_target_bytes = 8192,
                                    .max_query_pairs = 256,
                                    .timeout_ms = 1000,
                                    .trusted = list};
    struct pair pairs[16];
    struct request_input input = {.method = VIEW("GET"),
                                  .target = VIEW("/"),
                                  .headers = {pairs, 0},
                                  .peer_address = view_of(peer),
                                  .scheme = VIEW("http")};
    struct view rest = view_of(headers);
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n'), name = view_split(&line, ':');
        pairs[input.headers.count++] = (struct pair){name, view_trim(line)};
    }
    struct seen seen;
    /* Nothing that is forwarded makes a request fail. */
    assert_int_equal(request_parse(arena, &clock_system, &limits, &input, &seen.request),
                     HEARTH_OK);
    trust_list_free(list);
    seen.request.headers = (struct pairs){NULL, 0};
    seen.client = arena_copy(arena, seen.request.client_address).data;
    seen.scheme = arena_copy(arena, seen.request.scheme).data;
    seen.host = arena_copy(arena, seen.request.host).data;
    return seen;
}

#define expect_client(trusted, peer, headers, expected)                                            \
    assert_string_equal(look(trusted, peer, headers).client, expected)

static void a_stranger_is_not_believed(void **state)
{
    (void)state;
    struct seen seen = look("10.0.0.1", "9.9.9.9",
                            "Host: here\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\n"
                            "X-Forwarded-Host: there\nForwarded: for=1.1.1.1\nX-Request-Id: abc");
    assert_string_equal(seen.client, "9.9.9.9");
    assert_string_equal(seen.scheme, "http");
    assert_string_equal(seen.host, "here");
    assert_int_equal(seen.request.request_id.length, 16);
}

static void a_trusted_proxy_is(void **state)
{
    (void)state;
    struct seen seen = look("10.0.0.1", "10.0.0.1",
                            "Host: here\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\n"
                            "X-Forwarded-Host: there:8443\nX-Request-Id: abc-1.2_Z");
    assert_string_equal(seen.client, "1.1.1.1");
    assert_string_equal(seen.scheme, "https");
    assert_string_equal(seen.host, "there:8443");
    assert_true(view_equal(seen.request.request_id, VIEW("abc-1.2_Z")));
    expect_client("unix", "", "X-Forwarded-For: 1.1.1.1", "1.1.1.1");
    expect_client("loopback", "::1", "X-Forwarded-For: 2001:db8::7", "2001:db8::7");
}

static void hops_are_walked_from_the_right(void **state)
{
    (void)state;
    const char *trusted = "10.0.0.0/8";
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.0.0.3, 10.0.0.2",
                  "1.1.1.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 6.6.6.6,1.1.1.1", "1.1.1.1");
    /* All are trusted: the farthest of them asked. */
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 10.0.0.4, 10.0.0.3", "10.0.0.4");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: , 1.1.1.1 ,,10.0.0.2, ", "1.1.1.1");
    /* Ports and brackets are taken off. */
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 1.1.1.1:443", "1.1.1.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: [2001:db8::1]", "2001:db8::1");
}

static void a_hop_that_cannot_be_read_ends_the_walk(void **state)
{
    (void)state;
    const char *trusted = "10.0.0.0/8";
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 1.1.1.1, junk, 10.0.0.2", "10.0.0.2");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: junk", "10.0.0.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 1.1.1.1:99999", "10.0.0.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: [1.1.1.1]", "10.0.0.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: [::1", "10.0.0.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: [::1]x", "10.0.0.1");
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: 1.1.1.1\" onload=", "10.0.0.1");
    /* Junk to the left of the answer is never looked at. */
    expect_client(trusted, "10.0.0.1", "X-Forwarded-For: junk, 1.1.1.1", "1.1.1.1");
}

static void a_header_that_came_twice_is_ignored(void **state)
{
    (void)state;
    struct seen seen = look("loopback", "127.0.0.1",
                            "Host: here\nX-Forwarded-For: 1.1.1.1\nx-forwarded-for: 2.2.2.2\n"
                            "X-Forwarded-Proto: https\nX-Forwarded-Proto: https\n"
                            "X-Forwarded-Host: a\nX-Forwarded-Host: b\n"
                            "X-Request-Id: a\nX-Request-Id: b");
    assert_string_equal(seen.client, "127.0.0.1");
    assert_string_equal(seen.scheme, "http");
    assert_string_equal(seen.host, "here");
    assert_int_equal(seen.request.request_id.length, 16);
    expect_client("loopback", "127.0.0.1", "Forwarded: for=1.1.1.1\nForwarded: for=1.1.1.1",
                  "127.0.0.1");
}

static void values_that_disagree_are_ignored(void **state)
{
    (void)state;
    struct seen seen = look("loopback", "127.0.0.1",
                            "Host: here\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https, http\n"
                            "X-Forwarded-Host: a, b");
    assert_string_equal(seen.client, "1.1.1.1");
    assert_string_equal(seen.scheme, "http");
    assert_string_equal(seen.host, "here");
    seen = look("loopback", "127.0.0.1",
                "Host: here\nX-Forwarded-Proto: https, HTTPS\nX-Forwarded-Host: a, a");
    assert_string_equal(seen.scheme, "https");
    assert_string_equal(seen.host, "a");
    assert_string_equal(look("loopback", "127.0.0.1", "X-Forwarded-Proto: gopher").scheme, "http");
    assert_string_equal(look("loopback", "127.0.0.1", "Host: here\nX-Forwarded-Host: a<b").host,
                        "here");
}

static void the_forwarded_header_says_the_same(void **state)
{
    (void)state;
    struct seen seen = look("10.0.0.0/8", "10.0.0.1",
                            "Host: here\nForwarded: for=6.6.6.6, "
                            "For=\"[2001:db8::9]:4711\";Proto=HTTPS;by=10.0.0.3;host=\"a.b:8\" , "
                            "for=10.0.0.2;proto=http;host=inner");
    assert_string_equal(seen.client, "2001:db8::9");
    assert_string_equal(seen.scheme, "https");
    assert_string_equal(seen.host, "a.b:8");
    expect_client("10.0.0.0/8", "10.0.0.1", "Forwarded: for=1.1.1.1:80", "1.1.1.1");
    expect_client("10.0.0.0/8", "10.0.0.1", "Forwarded: for=\"1.1.1.1\" ;\text=\"a,b;c\"",
                  "1.1.1.1");
}

static void a_malformed_forwarded_header_is_ignored(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Forwarded: for",
        "Forwarded: for=",
        "Forwarded: for=\"1.1.1.1",
        "Forwarded: for=\"1.1.1\\.1\"",
        "Forwarded: for=1.1.1.1;host=\"a\\.b\"",
        "Forwarded: =1.1.1.1",
        "Forwarded: for=1.1.1.1;for=2.2.2.2",
        "Forwarded: for=1.1.1.1,",
        "Forwarded: for=1.1.1.1 for=2.2.2.2",
        "Forwarded: for=1.1.1.1;;proto=http",
        "Forwarded: ,",
        "Forwarded: for=unknown",
        "Forwarded: for=_hidden",
        "Forwarded: proto=https",
        "Forwarded: for=1.1.1.1, for=unknown",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seen seen = look("10.0.0.0/8", "10.0.0.1", bad[i]);
        if (strcmp(seen.client, "10.0.0.1") != 0 || strcmp(seen.scheme, "http") != 0)
            fail_msg("%s gave %s %s", bad[i], seen.client, seen.scheme);
    }
    /* More hops than any honest chain has. */
    char many[1024] = "Forwarded: for=1.1.1.1";
    for (size_t i = 0, length = strlen(many); i < 32; i++)
        length += (size_t)snprintf(many + length, sizeof many - length, ",for=10.0.0.2");
    expect_client("10.0.0.0/8", "10.0.0.1", many, "10.0.0.1");
}

static void two_families_must_name_the_same_client(void **state)
{
    (void)state;
    struct seen seen = look("loopback", "127.0.0.1",
                            "Host: here\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\n"
                            "Forwarded: for=1.1.1.1;proto=http;host=evil");
    assert_string_equal(seen.client, "1.1.1.1");
    assert_string_equal(seen.scheme, "https");
    assert_string_equal(seen.host, "here");
    seen = look("loopback", "127.0.0.1",
                "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nForwarded: for=2.2.2.2");
    assert_string_equal(seen.client, "127.0.0.1");
    assert_string_equal(seen.scheme, "http");
    /* The same address, spelt in two ways. */
    expect_client("loopback", "127.0.0.1",
                  "X-Forwarded-For: 2001:db8::1\nForwarded: for=\"[2001:DB8:0::1]\"",
                  "2001:db8::1");
}

static void only_this_machine_is_loopback(void **state)
{
    (void)state;
    assert_true(look("", "127.0.0.1", "").request.client_is_loopback);
    assert_true(look("", "127.3.2.1", "").request.client_is_loopback);
    assert_true(look("", "::1", "").request.client_is_loopback);
    assert_true(look("", "::ffff:127.0.0.1", "").request.client_is_loopback);
    assert_false(look("", "10.0.0.1", "").request.client_is_loopback);
    assert_false(look("", "", "").request.client_is_loopback);
    assert_false(look("", "127.0.0.1.evil", "").request.client_is_loopback);
    assert_false(look("", "127.", "").request.client_is_loopback);
    assert_true(
        look("loopback", "127.0.0.1", "X-Forwarded-For: 127.0.0.1").request.client_is_loopback);
    assert_true(
        look("loopback", "127.0.0.1", "Forwarded: for=\"[::1]:80\"").request.client_is_loopback);
}

/* A tunnel on this machine sends the world's requests from 127.0.0.1, trusted or not. */
static void a_foreign_hop_anywhere_is_not_this_machine(void **state)
{
    (void)state;
    static const char *const chains[] = {
        "X-Forwarded-For: 9.9.9.9",
        "X-Forwarded-For: 9.9.9.9, 127.0.0.1",
        "X-Forwarded-For: junk",
        "X-Forwarded-For: \nX-Forwarded-For: 9.9.9.9",
        "X-Forwarded-For: 127.0.0.1\nX-Forwarded-For: 9.9.9.9",
        "Forwarded: for=9.9.9.9",
        "Forwarded: for=unknown",
        "Forwarded: junk",
        "Forwarded: for=127.0.0.1\nX-Forwarded-For: 9.9.9.9",
        "Forwarded: for=9.9.9.9\nX-Forwarded-For: 127.0.0.1",
    };
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        if (look("", "127.0.0.1", chains[i]).request.client_is_loopback ||
            look("loopback", "127.0.0.1", chains[i]).request.client_is_loopback)
            fail_msg("%s counts as loopback", chains[i]);
    }
    assert_false(look("10.0.0.1", "10.0.0.1", "X-Forwarded-For: 9.9.9.9, 127.0.0.1")
                     .request.client_is_loopback);
}

static void a_request_id_is_short_and_plain(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "X-Request-Id: ", "X-Request-Id: a b", "X-Request-Id: a\"b", "X-Request-Id: a/b",
        "X-Request-Id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(look("loopback", "127.0.0.1", bad[i]).request.request_id.length, 16);
    const char *longest =
        "X-Request-Id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(look("loopback", "127.0.0.1", longest).request.request_id.length, 64);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_list_has_addresses_and_ranges),
        story(loopback_and_unix_have_names),
        story(what_is_no_address_is_named),
        story(a_stranger_is_not_believed),
        story(a_trusted_proxy_is),
        story(hops_are_walked_from_the_right),
        story(a_hop_that_cannot_be_read_ends_the_walk),
        story(a_header_that_came_twice_is_ignored),
        story(values_that_disagree_are_ignored),
        story(the_forwarded_header_says_the_same),
        story(a_malformed_forwarded_header_is_ignored),
        story(two_families_must_name_the_same_client),
        story(only_this_machine_is_loopback),
        story(a_foreign_hop_anywhere_is_not_this_machine),
        story(a_request_id_is_short_and_plain),
    };
    return cmocka_run_group_tests_name("request_forwarded", tests, NULL, NULL);
}
