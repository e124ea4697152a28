/*
 * test_keeper_sealing_threads.c - the keeper of a pool seals beside its commits, for workers and
 * for other processes that come through its socket.
 */
#include "support_keeper.h"
#include "support_sealed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/keeper/keeper_frame.h"
#include "handlers/sensor/keeper/keeper_server.h"
#include "handlers/sensor/keeper/keeper_socket.h"

enum { WRITERS = 4, PER_WRITER = 150, READINGS = WRITERS * PER_WRITER, LIVE_RECORDS = 64 };

static int setup(void **state)
{
    struct keeper_case *test = calloc(1, sizeof *test);
    keeper_case_init(test, 8, (int64_t)LIVE_RECORDS * RECORD_BYTES);
    test->live.options.clock = &clock_system;
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    struct keeper_case *test = *state;
    keeper_case_clean(test);
    free(test);
    return 0;
}

static int64_t in_seconds(int seconds)
{
    return clock_monotonic_ns(&clock_system) + seconds * INT64_C(1000000000);
}

/* ---- Workers ---- */

struct crew {
    struct reading_store *store;
    _Atomic int running, failures;
    _Atomic int acknowledged[WRITERS];
};

struct member {
    struct crew *crew;
    int number;
};

static void *write_on(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    for (int i = 0; i < PER_WRITER; i++) {
        struct append_result result;
        struct record record = live_reading(member->number * PER_WRITER + i);
        if (crew->store->append(crew->store, &record, 1, NULL, 0, in_seconds(60), &result, NULL) ||
            result.accepted != 1)
            atomic_fetch_add(&crew->failures, 1);
        atomic_store(&crew->acknowledged[member->number], i + 1);
    }
    atomic_fetch_sub(&crew->running, 1);
    return NULL;
}

static enum hearth_error mark_seen(void *context, const struct record *records, size_t count)
{
    bool *seen = context;
    for (size_t i = 0; i < count; i++) {
        int64_t number = (record_time_ms(&records[i]) - LIVE_START_MS) / 1000;
        if (number < 0 || number >= READINGS || seen[number])
            return HEARTH_CORRUPT;
        seen[number] = true;
    }
    return HEARTH_OK;
}

/* Everything acknowledged before the question is in the answer, once. */
static void *read_on(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    const struct reading_range all = {.to_ms = INT64_MAX, .rolling_code = -1};
    while (atomic_load(&crew->running) > 0) {
        bool seen[READINGS] = {false};
        int before[WRITERS];
        for (int w = 0; w < WRITERS; w++)
            before[w] = atomic_load(&crew->acknowledged[w]);
        if (crew->store->range(crew->store, &all, mark_seen, seen, NULL) != HEARTH_OK)
            atomic_fetch_add(&crew->failures, 1);
        for (int w = 0; w < WRITERS; w++)
            for (int i = 0; i < before[w]; i++)
                if (!seen[w * PER_WRITER + i])
                    atomic_fetch_add(&crew->failures, 1);
    }
    return NULL;
}

static void *seal_on(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    while (atomic_load(&crew->running) > 0) {
        if (crew->store->seal(crew->store, in_seconds(60), NULL) != HEARTH_OK)
            atomic_fetch_add(&crew->failures, 1);
        usleep(2000);
    }
    return NULL;
}

static void run_crew(struct crew *crew)
{
    pthread_t threads[WRITERS + 2];
    struct member members[WRITERS + 2];
    atomic_store(&crew->running, WRITERS);
    for (int i = 0; i < WRITERS + 2; i++) {
        members[i] = (struct member){crew, i};
        void *(*work)(void *) = i < WRITERS ? write_on : i == WRITERS ? read_on : seal_on;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &members[i]), 0);
    }
    for (int i = 0; i < WRITERS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crew->failures), 0);
}

static void commits_go_on_while_files_are_sealed(void **state)
{
    struct keeper_case *test = *state;
    struct crew crew = {0};
    keeper_case_start(test, true);
    crew.store = keeper_case_open(test);
    run_crew(&crew);
    assert_int_equal(crew.store->seal(crew.store, in_seconds(60), NULL), HEARTH_OK);
    crew.store->free(crew.store);
    assert_int_equal(keeper_case_stop(test), HEARTH_OK);
    assert_int_equal(sealed_expect_sound(&test->live), READINGS);
    assert_int_equal(live_file_count(&test->live), 1);
}

static void a_keeper_seals_what_it_finds_finished(void **state)
{
    struct keeper_case *test = *state;
    struct record slots[3 * LIVE_RECORDS];
    for (int i = 0; i < 3 * LIVE_RECORDS; i++)
        slots[i] = live_reading(i);
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "%08d.bin", i + 1);
        live_file_write(&test->live, name, slots + (size_t)i * LIVE_RECORDS, sizeof slots / 3);
    }
    keeper_case_start(test, true);
    for (int i = 0; i < 2000 && live_file_count(&test->live) > 1; i++)
        usleep(10000);
    assert_int_equal(live_file_count(&test->live), 1);
    assert_true(live_file_exists(&test->live, "00000003.bin"));
    assert_int_equal(keeper_case_stop(test), HEARTH_OK);
    assert_int_equal(sealed_expect_sound(&test->live), 3 * LIVE_RECORDS);
}

static void sealing_without_a_keeper_is_unavailable(void **state)
{
    struct keeper_case *test = *state;
    keeper_case_start(test, false);
    struct reading_store *store = keeper_case_open(test);
    keeper_case_kill(test);
    assert_int_equal(store->seal(store, in_seconds(60), NULL), HEARTH_UNAVAILABLE);
    keeper_case_start(test, false);
    assert_int_equal(store->seal(store, in_seconds(60), NULL), HEARTH_OK);
    store->free(store);
}

/* ---- The socket ---- */

static struct reading_store *open_client(struct keeper_case *test)
{
    struct error_record error = {0};
    struct reading_store *store = command_store_open(&test->live.options, &error);
    if (!store)
        fail_msg("client: %s %s", error_name(error.code), error.detail);
    return store;
}

static void a_command_hands_its_work_to_the_running_keeper(void **state)
{
    struct keeper_case *test = *state;
    enum { COUNT = 70000 };
    struct record *records = calloc(COUNT, sizeof *records);
    for (int i = 0; i < COUNT; i++)
        records[i] = live_reading(i);
    struct append_result result;
    const struct rejected_reading rejected[] = {{REJECT_NOT_JSON, VIEW("what is this"), "jsonl", 0},
                                                {REJECT_MIXED, VIEW("and these"), "csv", 7}};
    keeper_case_start(test, true);
    struct reading_store *worker = keeper_case_open(test), *client = open_client(test);
    assert_int_equal(
        client->append(client, records, COUNT, rejected, 2, in_seconds(60), &result, NULL),
        HEARTH_OK);
    assert_int_equal(result.accepted, COUNT);
    assert_int_equal(result.quarantined, 8);
    assert_int_equal(result.first_ms, LIVE_START_MS);
    assert_int_equal(live_append_number(worker, 69999).duplicate, 1);
    assert_int_equal(live_append_number(worker, 100000).accepted, 1);
    sealed_seal(client, HEARTH_OK);
    size_t count;
    free(live_everything(client, &count)); /* reads what the worker wrote */
    assert_int_equal(count, COUNT + 1);
    struct store_state own, theirs;
    assert_int_equal(client->state(client, &own, NULL), HEARTH_OK);
    assert_int_equal(worker->state(worker, &theirs, NULL), HEARTH_OK);
    assert_int_equal(own.generation, theirs.generation);
    client->free(client);
    worker->free(worker);
    free(records);
    char *text = live_quarantine_text(&test->live);
    assert_int_equal(live_count_text(text, "what is this"), 1);
    assert_int_equal(live_count_text(text, "\"source\":\"csv\",\"count\":7"), 1);
    free(text);
}

static void a_client_goes_on_with_the_next_keeper(void **state)
{
    struct keeper_case *test = *state;
    size_t count;
    keeper_case_start(test, false);
    struct reading_store *client = open_client(test);
    live_append_number(client, 1);
    keeper_case_kill(test); /* its socket stays behind */
    free(live_everything(client, &count));
    assert_int_equal(count, 1);
    struct record record = live_reading(2);
    live_append(client, &record, 1, HEARTH_UNAVAILABLE);
    keeper_case_start(test, false);
    assert_int_equal(live_append_number(client, 2).accepted, 1);
    keeper_case_handover(test, false);
    assert_int_equal(live_append_number(client, 3).accepted, 1);
    assert_int_equal(live_append_number(client, 2).duplicate, 1);
    sealed_seal(client, HEARTH_OK);
    free(live_everything(client, &count));
    assert_int_equal(count, 3);
    client->free(client);
}

static void the_socket_is_for_owner_and_group_and_goes_with_the_keeper(void **state)
{
    struct keeper_case *test = *state;
    struct stat status;
    char path[4096];
    snprintf(path, sizeof path, "%s/keeper.sock", test->live.options.directory);
    keeper_case_start(test, true);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0660);
    assert_int_equal(keeper_case_stop(test), HEARTH_OK);
    assert_int_not_equal(stat(path, &status), 0);
    struct reading_store *store = open_client(test); /* nobody there: it is the keeper */
    live_append_number(store, 1);
    store->free(store);
}

/* Several that say nothing, half of something, or what is none, and one that works. */
static void peers_that_misbehave_hold_nobody_up(void **state)
{
    struct keeper_case *test = *state;
    static const char nonsense[64] = "GET / HTTP/1.1\r\n\r\n";
    int peers[12];
    keeper_case_start(test, true);
    for (int i = 0; i < 12; i++) {
        peers[i] = keeper_socket_open(test->live.options.directory, false);
        assert_true(peers[i] >= 0);
        const struct frame_request request = {.kind = FRAME_APPEND, .records = 60000};
        unsigned char head[FRAME_REQUEST_BYTES];
        frame_request_format(&request, head);
        if (i % 3 == 1)
            assert_int_equal(write(peers[i], head, sizeof head), sizeof head);
        if (i % 3 == 2)
            assert_int_equal(write(peers[i], nonsense, sizeof nonsense), sizeof nonsense);
    }
    struct reading_store *client = open_client(test);
    for (int i = 0; i < 50; i++)
        assert_int_equal(live_append_number(client, i).accepted, 1);
    sealed_seal(client, HEARTH_OK);
    client->free(client);
    for (int i = 0; i < 12; i++) {
        char bytes[256];
        ssize_t got = 1;
        while (i % 3 == 2 && got > 0) /* its hello, then the end */
            got = recv(peers[i], bytes, sizeof bytes, 0);
        if (i % 3 == 2)
            assert_true(got <= 0);
        close(peers[i]);
    }
}

/* A keeper's end with little patience, over a store of the test's own. */
struct impatient {
    struct live_store *live;
    struct live_published published;
    struct keeper_requests requests;
    struct keeper_sealing *sealing;
    struct keeper_server *server;
};

static void impatient_start(struct impatient *end, struct keeper_case *test)
{
    struct live_store_options *options = &test->live.options;
    memset(end, 0, sizeof *end);
    assert_int_equal(live_store_prepare(options, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(options, &end->published, &end->live, NULL), HEARTH_OK);
    end->sealing = keeper_sealing_start(end->live, NULL, NULL, &end->requests, NULL);
    assert_non_null(end->sealing);
    const struct keeper_server_options server = {.directory = options->directory,
                                                 .store = end->live,
                                                 .requests = &end->requests,
                                                 .sealing = end->sealing,
                                                 .clock = &clock_system,
                                                 .frame_timeout_ms = 50,
                                                 .idle_timeout_ms = 300};
    end->server = keeper_server_start(&server, NULL);
    assert_non_null(end->server);
}

static void impatient_stop(struct impatient *end)
{
    keeper_server_stop(end->server);
    keeper_sealing_stop(end->sealing);
    live_store_close(end->live);
}

/* More of them than the keeper has places for: each one goes in time, and the next is let in. */
static void peers_that_are_slow_or_silent_are_cut_off(void **state)
{
    struct keeper_case *test = *state;
    struct impatient end;
    int peers[40];
    impatient_start(&end, test);
    for (int i = 0; i < 40; i++) {
        peers[i] = keeper_socket_open(test->live.options.directory, false);
        assert_true(peers[i] >= 0 || errno == EAGAIN);
        if (i % 2 == 0 && peers[i] >= 0)
            assert_int_equal(write(peers[i], "HKRQ", 4), 4);
        if (i >= 30)
            usleep(100000); /* the queue is longer than the places */
    }
    struct error_record error = {0};
    struct reading_store *client = NULL;
    for (int i = 0; i < 20 && !client; i++)
        client = keeper_client_open(&test->live.options, &error);
    if (!client)
        fail_msg("%s", error.detail);
    assert_int_equal(live_append_number(client, 1).accepted, 1);
    usleep(1500000); /* cut off itself by now: it connects again */
    assert_int_equal(live_append_number(client, 2).accepted, 1);
    client->free(client);
    for (int i = 0; i < 40; i++)
        if (peers[i] >= 0)
            close(peers[i]);
    impatient_stop(&end);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(commits_go_on_while_files_are_sealed),
        STORY(a_keeper_seals_what_it_finds_finished),
        STORY(sealing_without_a_keeper_is_unavailable),
        STORY(a_command_hands_its_work_to_the_running_keeper),
        STORY(a_client_goes_on_with_the_next_keeper),
        STORY(the_socket_is_for_owner_and_group_and_goes_with_the_keeper),
        STORY(peers_that_misbehave_hold_nobody_up),
        STORY(peers_that_are_slow_or_silent_are_cut_off),
    };
    return cmocka_run_group_tests_name("keeper sealing", tests, NULL, NULL);
}
