/*
 * test_fcgi_turns.c - who looks for work and who is parked, over events that are bytes in a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "app/adapter/fcgi_turns.h"
#include "support.h"

enum { THREADS = 16, PATIENCE_MS = 20000 };

/* Events: QUICK is answered at once; HELD keeps its thread until the crew is released; WAITS does
 * the same and says so first. */
enum event { QUICK = '.', HELD = 'h', WAITS = 'w' };

struct crew {
    struct fcgi_turns turns;
    int pipe[2];
    pthread_t threads[THREADS];
    pthread_t watchman;
    bool watched;
    atomic_bool ended;
    atomic_uint served, holding, looked_in_vain;
    pthread_mutex_t gate; /* locked: held */
};

static bool events_wait(void *context)
{
    const struct crew *crew = context;
    struct pollfd pipe = {.fd = crew->pipe[0], .events = POLLIN};
    return poll(&pipe, 1, 0) == 1;
}

static void hold(struct crew *crew)
{
    atomic_fetch_add(&crew->holding, 1);
    pthread_mutex_lock(&crew->gate);
    pthread_mutex_unlock(&crew->gate);
    atomic_fetch_sub(&crew->holding, 1);
}

static void serve(struct crew *crew, struct fcgi_turn *turn, char event)
{
    if (event == WAITS)
        fcgi_turn_pass_on(turn);
    if (event != QUICK)
        hold(crew);
    atomic_fetch_add(&crew->served, 1);
}

static void *work(void *context)
{
    struct crew *crew = context;
    struct fcgi_turn turn;
    fcgi_turn_init(&turn, &crew->turns);
    while (!atomic_load(&crew->ended)) {
        struct pollfd pipe = {.fd = crew->pipe[0], .events = POLLIN};
        char event = 0;
        if (fcgi_turn_seek(&turn))
            poll(&pipe, 1, -1);
        const bool found = read(crew->pipe[0], &event, 1) == 1;
        if (!found)
            atomic_fetch_add(&crew->looked_in_vain, 1);
        fcgi_turn_found(&turn, found);
        if (found)
            serve(crew, &turn, event);
    }
    fcgi_turn_clean(&turn);
    return NULL;
}

static void *watch(void *context)
{
    struct crew *crew = context;
    fcgi_turns_watch(&crew->turns);
    return NULL;
}

static void crew_start_unwatched(struct crew *crew)
{
    *crew = (struct crew){.pipe = {-1, -1}};
    assert_int_equal(pipe2(crew->pipe, O_NONBLOCK | O_CLOEXEC), 0);
    pthread_mutex_init(&crew->gate, NULL);
    pthread_mutex_lock(&crew->gate);
    fcgi_turns_init(&crew->turns, events_wait, crew);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&crew->threads[i], NULL, work, crew), 0);
}

static void crew_start(struct crew *crew)
{
    crew_start_unwatched(crew);
    crew->watched = true;
    assert_int_equal(pthread_create(&crew->watchman, NULL, watch, crew), 0);
}

static void crew_release(struct crew *crew)
{
    pthread_mutex_unlock(&crew->gate);
}

static void crew_stop(struct crew *crew)
{
    atomic_store(&crew->ended, true);
    fcgi_turns_end(&crew->turns);
    close(crew->pipe[1]); /* ends the poll of who is seated */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(crew->threads[i], NULL), 0);
    if (crew->watched)
        assert_int_equal(pthread_join(crew->watchman, NULL), 0);
    assert_null(crew->turns.parked);
    fcgi_turns_clean(&crew->turns);
    pthread_mutex_destroy(&crew->gate);
    close(crew->pipe[0]);
}

static void send_events(struct crew *crew, enum event event, unsigned count)
{
    const char byte = (char)event;
    for (unsigned i = 0; i < count; i++) {
        while (write(crew->pipe[1], &byte, 1) != 1)
            assert_int_equal(errno, EAGAIN);
    }
}

static void rest(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

static unsigned parked(struct crew *crew)
{
    unsigned count = 0;
    pthread_mutex_lock(&crew->turns.lock);
    for (const struct fcgi_turn *turn = crew->turns.parked; turn; turn = turn->next)
        count++;
    pthread_mutex_unlock(&crew->turns.lock);
    return count;
}

static void expect_served(struct crew *crew, unsigned count)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&crew->served) != count; i++)
        rest();
    assert_int_equal(atomic_load(&crew->served), count);
}

static void expect_holding(struct crew *crew, unsigned count)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&crew->holding) != count; i++)
        rest();
    assert_int_equal(atomic_load(&crew->holding), count);
}

static void expect_parked(struct crew *crew, unsigned count)
{
    for (int i = 0; i < PATIENCE_MS && parked(crew) != count; i++)
        rest();
    assert_int_equal(parked(crew), count);
}

/* Nobody serves: all are parked or seated, of whom there may be several after requests that waited.
 */
static void expect_at_rest(struct crew *crew)
{
    for (int i = 0; i < PATIENCE_MS && parked(crew) + atomic_load(&crew->turns.seated) != THREADS;
         i++)
        rest();
    assert_int_equal(parked(crew) + atomic_load(&crew->turns.seated), THREADS);
    assert_true(atomic_load(&crew->turns.seated) > 0);
    assert_int_equal(atomic_load(&crew->turns.waiting), 0);
}

static void expect_asleep(struct crew *crew)
{
    for (int i = 0; i < PATIENCE_MS && !atomic_load(&crew->turns.watchman_sleeps); i++)
        rest();
    assert_true(atomic_load(&crew->turns.watchman_sleeps));
}

/* ---- Tests ---- */

static void at_rest_one_is_seated_and_all_else_sleep(void **state)
{
    (void)state;
    struct crew crew;
    crew_start(&crew);
    expect_parked(&crew, THREADS - 1);
    expect_asleep(&crew);
    assert_true(atomic_load(&crew.turns.seated) == 1);
    const unsigned looked = atomic_load(&crew.looked_in_vain);
    for (int i = 0; i < 20; i++)
        rest();
    assert_int_equal(atomic_load(&crew.looked_in_vain), looked);
    crew_release(&crew);
    crew_stop(&crew);
}

static void quick_events_one_by_one_wake_nobody_else(void **state)
{
    (void)state;
    struct crew crew;
    crew_start(&crew);
    expect_parked(&crew, THREADS - 1);
    for (unsigned i = 1; i <= 100; i++) {
        send_events(&crew, QUICK, 1);
        expect_served(&crew, i);
    }
    /* The watchman may have found the one thread off the processor and unparked another, not most
     * of them. */
    expect_parked(&crew, THREADS - 1);
    assert_in_range(atomic_load(&crew.looked_in_vain), THREADS - 1, THREADS - 1 + 50);
    crew_release(&crew);
    crew_stop(&crew);
}

static void an_event_behind_one_that_lasts_is_served(void **state)
{
    (void)state;
    struct crew crew;
    crew_start(&crew);
    for (unsigned i = 1; i < THREADS; i++) {
        send_events(&crew, HELD, 1);
        expect_holding(&crew, i);
        send_events(&crew, QUICK, 1);
        expect_served(&crew, i);
    }
    crew_release(&crew);
    expect_served(&crew, 2 * (THREADS - 1));
    expect_parked(&crew, THREADS - 1);
    crew_stop(&crew);
}

static void events_that_last_come_to_hold_every_thread(void **state)
{
    (void)state;
    static const enum event kinds[] = {HELD, WAITS};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct crew crew;
        crew_start(&crew);
        expect_parked(&crew, THREADS - 1);
        expect_asleep(&crew);
        send_events(&crew, kinds[i], THREADS + 5);
        expect_holding(&crew, THREADS);
        /* There is nobody it could unpark. */
        expect_asleep(&crew);
        crew_release(&crew);
        expect_served(&crew, THREADS + 5);
        expect_at_rest(&crew);
        crew_stop(&crew);
    }
}

static void who_says_that_it_waits_needs_no_watchman(void **state)
{
    (void)state;
    struct crew crew;
    crew_start_unwatched(&crew);
    expect_parked(&crew, THREADS - 1);
    for (unsigned i = 1; i < THREADS; i++) {
        send_events(&crew, WAITS, 1);
        expect_holding(&crew, i);
        expect_parked(&crew, THREADS - 1 - i);
    }
    crew_release(&crew);
    crew_stop(&crew);
}

static void passing_on_wakes_nobody_while_one_is_seated(void **state)
{
    (void)state;
    struct crew crew;
    crew_start(&crew);
    expect_parked(&crew, THREADS - 1);
    const unsigned looked = atomic_load(&crew.looked_in_vain);
    struct fcgi_turn turn;
    fcgi_turn_init(&turn, &crew.turns);
    for (int i = 0; i < 100; i++)
        fcgi_turn_pass_on(&turn);
    assert_int_equal(atomic_load(&crew.turns.waiting), 1);
    fcgi_turn_clean(&turn);
    assert_int_equal(parked(&crew), THREADS - 1);
    assert_int_equal(atomic_load(&crew.looked_in_vain), looked);
    crew_release(&crew);
    crew_stop(&crew);
}

static void a_flood_of_all_kinds_is_served_to_the_last(void **state)
{
    (void)state;
    enum { EVENTS = 20000 };
    struct crew crew;
    crew_start(&crew);
    crew_release(&crew); /* nothing is held for longer than the gate's lock takes */
    for (unsigned i = 0; i < EVENTS; i++) {
        send_events(&crew, i % 7 == 0 ? WAITS : i % 11 == 0 ? HELD : QUICK, 1);
        if (i % 1000 == 999)
            rest();
    }
    expect_served(&crew, EVENTS);
    expect_at_rest(&crew);
    expect_asleep(&crew);
    crew_stop(&crew);
}

static void the_end_wakes_those_that_are_parked(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct crew crew;
        crew_start(&crew);
        crew_release(&crew);
        if (i % 2)
            expect_parked(&crew, THREADS - 1);
        crew_stop(&crew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_one_is_seated_and_all_else_sleep),
        cmocka_unit_test(quick_events_one_by_one_wake_nobody_else),
        cmocka_unit_test(an_event_behind_one_that_lasts_is_served),
        cmocka_unit_test(events_that_last_come_to_hold_every_thread),
        cmocka_unit_test(who_says_that_it_waits_needs_no_watchman),
        cmocka_unit_test(passing_on_wakes_nobody_while_one_is_seated),
        cmocka_unit_test(a_flood_of_all_kinds_is_served_to_the_last),
        cmocka_unit_test(the_end_wakes_those_that_are_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
