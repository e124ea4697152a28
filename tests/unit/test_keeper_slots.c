/*
 * test_keeper_slots.c - the slots: every transition of the state machine in slots.h, one by one,
 * and then all at once from many threads.
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/sensor/keeper/slot_text.h"
#include "handlers/sensor/keeper/slots.h"
#include "handlers/sensor/keeper/slots_append.h"

enum { SLOTS = 8, WORKER = 100, OTHER_WORKER = 101 };

static int setup(void **state)
{
    size_t bytes = slots_bytes(SLOTS);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    *state = slots_init(memory, SLOTS);
    return 0;
}

static int teardown(void **state)
{
    munmap(*state, slots_bytes(SLOTS));
    return 0;
}

static int64_t in_ms(int64_t milliseconds)
{
    return clock_monotonic_ns(&clock_system) + milliseconds * 1000000;
}

static int claim(struct slots *slots, int64_t pid)
{
    int slot = slots_try_claim(slots, pid);
    assert_int_not_equal(slot, SLOT_NONE);
    return slot;
}

static int submit(struct slots *slots, int64_t pid)
{
    int slot = claim(slots, pid);
    struct slot_body *body = slots_body(slots, slot);
    body->record_count = 1;
    body->text_bytes = 0;
    slots_submit(slots, slot);
    slots_ring(slots);
    return slot;
}

static int gather_one(struct slots *slots)
{
    int taken[SLOTS];
    assert_int_equal(slots_gather(slots, taken, SLOTS), 1);
    return taken[0];
}

static enum hearth_error wait_for(struct slots *slots, int slot, int64_t milliseconds)
{
    struct slot_result result;
    return slots_wait(slots, slot, &clock_system, in_ms(milliseconds), &result);
}

/* ---- The plain way ---- */

static void a_batch_goes_to_the_keeper_and_its_result_comes_back(void **state)
{
    struct slots *slots = *state;
    struct slot_result result;
    slots_keeper_begin(slots, getpid());
    int slot = claim(slots, WORKER);
    struct slot_body *body = slots_body(slots, slot);
    body->record_count = 2;
    memset(body->content, 0x42, sizeof(struct record) * 2);
    slots_submit(slots, slot);
    assert_int_equal(gather_one(slots), slot);
    assert_int_equal(slots_body(slots, slot)->content[23], 0x42);
    const struct slot_result sent = {HEARTH_DISK_FULL, 28, 1, 2, 3, 4, 5};
    slots_answer(slots, slot, &sent);
    assert_int_equal(slots_wait(slots, slot, &clock_system, in_ms(0), &result), HEARTH_OK);
    assert_int_equal(result.error, HEARTH_DISK_FULL);
    assert_int_equal(result.number, 28);
    assert_int_equal(result.accepted + result.duplicate + result.quarantined, 6);
    assert_int_equal(result.first_ms, 4);
    assert_int_equal(result.last_ms, 5);
    assert_int_equal(slots_in_use(slots), 0);
}

static void every_slot_is_claimed_once_and_then_none_is_left(void **state)
{
    struct slots *slots = *state;
    bool claimed[SLOTS] = {false};
    for (int i = 0; i < SLOTS; i++) {
        int slot = claim(slots, WORKER);
        assert_in_range(slot, 0, SLOTS - 1);
        assert_false(claimed[slot]);
        claimed[slot] = true;
    }
    assert_int_equal(slots_try_claim(slots, WORKER), SLOT_NONE);
    assert_int_equal(slots_claim(slots, WORKER, &clock_system, in_ms(20)), SLOT_NONE);
    slots_unclaim(slots, 5);
    assert_int_equal(slots_claim(slots, WORKER, &clock_system, in_ms(20)), 5);
}

static void *free_one_soon(void *argument)
{
    struct slots *slots = argument;
    usleep(30000);
    slots_unclaim(slots, 3);
    return NULL;
}

static void who_finds_none_free_waits_for_one(void **state)
{
    struct slots *slots = *state;
    pthread_t thread;
    for (int i = 0; i < SLOTS; i++)
        claim(slots, WORKER);
    assert_int_equal(pthread_create(&thread, NULL, free_one_soon, slots), 0);
    assert_int_equal(slots_claim(slots, WORKER, &clock_system, in_ms(10000)), 3);
    pthread_join(thread, NULL);
}

/* Nobody is woken for it any more after the first slot that is free again. */
static void a_worker_killed_while_it_waits_for_a_slot_is_forgotten(void **state)
{
    struct slots *slots = *state;
    for (int i = 0; i < SLOTS; i++)
        claim(slots, WORKER);
    pid_t child = fork();
    if (child == 0) {
        slots_claim(slots, OTHER_WORKER, &clock_system, in_ms(60000));
        _exit(0);
    }
    for (int i = 0; i < 10000 && !slots_awaited(slots); i++)
        usleep(1000);
    assert_true(slots_awaited(slots));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    slots_worker_ended(slots, OTHER_WORKER);
    slots_unclaim(slots, 5);
    assert_false(slots_awaited(slots));
    slots_unclaim(slots, 6);
    assert_false(slots_awaited(slots));
    assert_int_equal(slots_in_use(slots), SLOTS - 2);
}

struct waiter {
    struct slots *slots;
    pthread_t thread;
    int slot;
};

static void *wait_for_one(void *argument)
{
    struct waiter *waiter = argument;
    waiter->slot = slots_claim(waiter->slots, WORKER, &clock_system, in_ms(60000));
    return NULL;
}

/* Several wait, several are freed at once: nobody sleeps on while a slot is free. */
static void every_free_slot_finds_who_waits_for_it(void **state)
{
    struct slots *slots = *state;
    struct waiter waiters[SLOTS];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < SLOTS; i++)
            claim(slots, WORKER);
        for (int i = 0; i < SLOTS; i++) {
            waiters[i] = (struct waiter){.slots = slots};
            assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_one, &waiters[i]),
                             0);
        }
        while (!slots_awaited(slots))
            usleep(100);
        int64_t began_ns = clock_monotonic_ns(&clock_system);
        for (int i = 0; i < SLOTS; i++)
            slots_unclaim(slots, i);
        for (int i = 0; i < SLOTS; i++)
            pthread_join(waiters[i].thread, NULL);
        assert_true(clock_monotonic_ns(&clock_system) - began_ns < INT64_C(10000000000));
        for (int i = 0; i < SLOTS; i++)
            slots_unclaim(slots, waiters[i].slot);
        assert_int_equal(slots_in_use(slots), 0);
    }
}

static void the_keeper_takes_no_more_than_it_asks_for(void **state)
{
    struct slots *slots = *state;
    int taken[SLOTS];
    slots_keeper_begin(slots, getpid());
    for (int i = 0; i < SLOTS; i++)
        submit(slots, WORKER);
    assert_int_equal(slots_gather(slots, taken, 5), 5);
    assert_int_equal(slots_gather(slots, taken + 5, 5), 3);
    assert_int_equal(slots_gather(slots, taken, 5), 0);
}

static void the_keeper_sleeps_until_a_ring(void **state)
{
    struct slots *slots = *state;
    int64_t began_ns = clock_monotonic_ns(&clock_system);
    uint32_t rings = slots_rings(slots);
    slots_sleep(slots, rings, 30);
    assert_true(clock_monotonic_ns(&clock_system) - began_ns >= 29000000);
    slots_ring(slots);
    began_ns = clock_monotonic_ns(&clock_system);
    slots_sleep(slots, rings, 10000); /* it rang since: no sleep */
    assert_true(clock_monotonic_ns(&clock_system) - began_ns < 5000000000);
}

/* ---- Deadlines ---- */

static void what_was_not_taken_is_withdrawn_at_the_deadline(void **state)
{
    struct slots *slots = *state;
    int taken[SLOTS];
    slots_keeper_begin(slots, getpid());
    int slot = submit(slots, WORKER);
    assert_int_equal(wait_for(slots, slot, 10), HEARTH_DEADLINE);
    assert_int_equal(slots_in_use(slots), 0);
    assert_int_equal(slots_gather(slots, taken, SLOTS), 0);
}

static void what_was_taken_is_left_to_the_keeper_at_the_deadline(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, getpid());
    int slot = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), slot);
    assert_int_equal(wait_for(slots, slot, 10), HEARTH_DEADLINE);
    assert_int_equal(slots_in_use(slots), 1); /* nobody else gets it meanwhile */
    slots_answer(slots, slot, &(struct slot_result){0});
    assert_int_equal(slots_in_use(slots), 0);
}

/* ---- The end of a worker ---- */

static void a_dead_workers_slots_are_freed_in_every_state(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, getpid());
    int taken = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), taken);
    int done = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), done);
    slots_answer(slots, done, &(struct slot_result){0});
    int claimed = claim(slots, WORKER);
    int submitted = submit(slots, WORKER);
    int others = claim(slots, OTHER_WORKER);
    assert_int_equal(slots_in_use(slots), 5);
    slots_worker_ended(slots, WORKER);
    assert_int_equal(slots_in_use(slots), 2); /* the other's, and the one the keeper works on */
    int again[SLOTS];
    assert_int_equal(slots_gather(slots, again, SLOTS), 0);
    slots_answer(slots, taken, &(struct slot_result){0});
    assert_int_equal(slots_in_use(slots), 1);
    slots_unclaim(slots, others);
    assert_int_equal(slots_in_use(slots), 0);
    (void)claimed;
    (void)submitted;
}

/* ---- The end of a keeper ---- */

static void a_dead_keepers_waiters_are_told(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, 0x1FFFFF); /* no child of ours */
    int taken = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), taken);
    int abandoned = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), abandoned);
    assert_int_equal(wait_for(slots, abandoned, 5), HEARTH_DEADLINE);
    int submitted = submit(slots, WORKER);
    slots_keeper_died(slots);
    assert_int_equal(wait_for(slots, taken, 10000), HEARTH_UNAVAILABLE);
    assert_int_equal(wait_for(slots, submitted, 10000), HEARTH_UNAVAILABLE);
    assert_int_equal(slots_in_use(slots), 0);
}

static void while_a_keeper_is_dead_one_waits_for_a_moment_only(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, 0x1FFFFF);
    slots_keeper_died(slots);
    int slot = submit(slots, WORKER);
    int64_t began_ns = clock_monotonic_ns(&clock_system);
    assert_int_equal(wait_for(slots, slot, 60000), HEARTH_UNAVAILABLE);
    assert_true(clock_monotonic_ns(&clock_system) - began_ns < 30000000000);
    assert_int_equal(slots_in_use(slots), 0);
    /* A deadline before that is a deadline. */
    slot = submit(slots, WORKER);
    assert_int_equal(wait_for(slots, slot, 10), HEARTH_DEADLINE);
}

static void a_successor_answers_for_its_predecessor_when_the_master_is_late(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, 0x1FFFFF);
    int taken = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), taken);
    int submitted = submit(slots, WORKER);
    slots_keeper_begin(slots, 0x1FFFFE);
    assert_int_equal(wait_for(slots, taken, 10000), HEARTH_UNAVAILABLE);
    assert_int_equal(gather_one(slots), submitted); /* this one it serves */
    slots_answer(slots, submitted, &(struct slot_result){0});
    assert_int_equal(wait_for(slots, submitted, 10000), HEARTH_OK);
}

static void what_a_dead_keeper_had_seen_and_not_taken_is_served_by_the_next(void **state)
{
    struct slots *slots = *state;
    int taken[SLOTS];
    slots_keeper_begin(slots, 0x1FFFFF);
    int slot = submit(slots, WORKER);
    slots_forget_hints(slots);
    assert_int_equal(slots_gather(slots, taken, SLOTS), 0);
    slots_keeper_begin(slots, 0x1FFFFE);
    assert_int_equal(gather_one(slots), slot);
}

static void the_masters_word_does_not_reach_a_living_successor(void **state)
{
    struct slots *slots = *state;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    slots_keeper_begin(slots, 0x1FFFFF);
    slots_keeper_begin(slots, child); /* the successor, before the master heard of the death */
    int slot = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), slot);
    slots_keeper_died(slots);
    slots_answer(slots, slot, &(struct slot_result){.accepted = 1});
    assert_int_equal(wait_for(slots, slot, 10000), HEARTH_OK);
    /* Dead and not yet waited for is dead. */
    kill(child, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    slot = submit(slots, WORKER);
    slots_keeper_died(slots);
    assert_int_equal(wait_for(slots, slot, 10000), HEARTH_UNAVAILABLE);
    waitpid(child, NULL, 0);
}

static void a_late_answer_of_a_keeper_taken_for_dead_is_ignored(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, 0x1FFFFF);
    int slot = submit(slots, WORKER);
    assert_int_equal(gather_one(slots), slot);
    slots_keeper_died(slots);
    assert_int_equal(wait_for(slots, slot, 10000), HEARTH_UNAVAILABLE);
    int again = submit(slots, WORKER);
    assert_int_equal(again, slot);
    slots_answer(slots, slot, &(struct slot_result){.accepted = 1}); /* of the first batch */
    assert_int_equal(wait_for(slots, again, 20), HEARTH_DEADLINE);
    assert_int_equal(slots_in_use(slots), 0);
}

static void at_a_handover_what_waits_goes_on_waiting(void **state)
{
    struct slots *slots = *state;
    slots_keeper_begin(slots, 0x1FFFFF);
    int slot = submit(slots, WORKER);
    slots_keeper_end(slots, false);
    assert_int_equal(slots_in_use(slots), 1);
    slots_keeper_begin(slots, 0x1FFFFE);
    assert_int_equal(gather_one(slots), slot);
    slots_answer(slots, slot, &(struct slot_result){0});
    assert_int_equal(wait_for(slots, slot, 10000), HEARTH_OK);
    slot = submit(slots, WORKER);
    slots_keeper_end(slots, true); /* it failed */
    assert_int_equal(wait_for(slots, slot, 10000), HEARTH_UNAVAILABLE);
    assert_int_equal(slots_keeper_pid(slots), 0x1FFFFE);
}

/* ---- Texts ---- */

static void texts_come_out_of_a_body_as_they_went_in(void **state)
{
    struct slot_body body = {.record_count = 3};
    const struct rejected_reading readings[] = {
        {REJECT_NOT_JSON, VIEW("{"), "json", 1},
        {REJECT_WRONG_TYPE, {"\0\xFF", 2}, "a dialect with a long name", 4000000},
        {REJECT_BAD_TIME, {"", 0}, "csv", 0},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(slot_text_put(
            &body, &(struct slot_piece){&readings[i], 0, readings[i].raw.length, 1, 1, 7}));
    struct quarantine_entry entry;
    size_t at = 0;
    assert_true(slot_text_next(&body, &at, &entry));
    assert_string_equal(entry.reason, "NOT_JSON");
    assert_true(view_equal(entry.raw, VIEW("{")));
    assert_true(view_equal(entry.source, VIEW("json")));
    assert_true(slot_text_next(&body, &at, &entry));
    assert_true(view_equal(entry.raw, readings[1].raw));
    assert_true(view_equal(entry.source, VIEW("a dialect")));
    assert_int_equal(entry.count, 4000000);
    assert_true(slot_text_next(&body, &at, &entry));
    assert_int_equal(entry.raw.length, 0);
    assert_false(slot_text_next(&body, &at, &entry));
}

static void a_body_takes_texts_up_to_its_last_byte(void **state)
{
    struct slot_body body = {0};
    char text[SLOT_TEXT_BYTES + 1];
    const struct rejected_reading reading = {REJECT_NOT_JSON, {text, sizeof text}, "json", 1};
    (void)state;
    memset(text, 'x', sizeof text);
    assert_false(slot_text_put(&body, &(struct slot_piece){&reading, 0, sizeof text, 1, 1, 0}));
    assert_true(slot_text_put(&body, &(struct slot_piece){&reading, 0, sizeof text - 1, 1, 1, 0}));
    assert_false(slot_text_put(&body, &(struct slot_piece){&reading, 0, 0, 1, 1, 0}));
    body.text_bytes = 0;
    body.record_count = SLOT_RECORDS;
    assert_false(slot_text_put(&body, &(struct slot_piece){&reading, 0, 1, 1, 1, 0}));
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        char text[3 * SLOT_TEXT_BYTES];
        memset(text, 'x', shift);
        for (size_t i = shift; i < sizeof text; i++)
            text[i] = "\xE2\x82\xAC"[(i - shift) % 3]; /* the euro sign */
        struct view raw = {text, sizeof text - (sizeof text - shift) % 3};
        size_t pieces = 0;
        for (size_t at = 0; at < raw.length; pieces++) {
            size_t end = slot_text_piece_end(raw, at);
            assert_true(end > at && end - at <= SLOT_TEXT_BYTES);
            assert_true(quarantine_is_utf8(view_slice(raw, at, end - at)));
            at = end;
        }
        assert_int_equal(slot_text_pieces(raw), pieces);
    }
    assert_int_equal(slot_text_pieces(VIEW_NONE), 1);
}

/* ---- All at once ---- */

enum { THREADS = 12, ROUNDS = 300 };

struct crowd {
    struct slots *slots;
    _Atomic int running;
    _Atomic int failures;
    _Atomic uint64_t answered, gave_up;
};

/* Submits batches with a mark and expects it back; now and then with a deadline too short. */
static void *submit_many(void *argument)
{
    struct crowd *crowd = argument;
    for (int i = 0; i < ROUNDS; i++) {
        int slot = slots_claim(crowd->slots, WORKER, &clock_system, in_ms(30000));
        if (slot == SLOT_NONE) {
            atomic_fetch_add(&crowd->failures, 1);
            continue;
        }
        struct slot_body *body = slots_body(crowd->slots, slot);
        uint32_t mark = (uint32_t)(i * 31 + slot);
        body->record_count = 0;
        memcpy(body->content, &mark, sizeof mark);
        slots_submit(crowd->slots, slot);
        slots_ring(crowd->slots);
        struct slot_result result = {0};
        int64_t deadline_ns = i % 17 == 0 ? in_ms(0) : in_ms(30000);
        enum hearth_error code =
            slots_wait(crowd->slots, slot, &clock_system, deadline_ns, &result);
        if (code == HEARTH_DEADLINE && i % 17 == 0)
            atomic_fetch_add(&crowd->gave_up, 1);
        else if (code == HEARTH_OK && result.accepted == mark)
            atomic_fetch_add(&crowd->answered, 1);
        else
            atomic_fetch_add(&crowd->failures, 1);
    }
    atomic_fetch_sub(&crowd->running, 1);
    return NULL;
}

static void serve(struct slots *slots, int slot)
{
    struct slot_result result = {0};
    memcpy(&result.accepted, slots_body(slots, slot)->content, sizeof result.accepted);
    slots_answer(slots, slot, &result);
}

static void every_one_of_many_threads_gets_its_own_answer(void **state)
{
    struct crowd crowd = {.slots = *state, .running = THREADS};
    pthread_t threads[THREADS];
    int taken[SLOTS];
    slots_keeper_begin(crowd.slots, getpid());
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &crowd), 0);
    while (atomic_load(&crowd.running) > 0) {
        uint32_t rings = slots_rings(crowd.slots);
        size_t count = slots_gather(crowd.slots, taken, SLOTS);
        for (size_t i = 0; i < count; i++)
            serve(crowd.slots, taken[i]);
        if (count == 0)
            slots_sleep(crowd.slots, rings, 20);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.failures, 0);
    assert_int_equal(crowd.answered + crowd.gave_up, THREADS * ROUNDS);
    size_t left = slots_gather(crowd.slots, taken, SLOTS);
    assert_int_equal(left, 0);
    assert_int_equal(slots_in_use(crowd.slots), 0);
}

#define SLOT_STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOT_STORY(a_batch_goes_to_the_keeper_and_its_result_comes_back),
        SLOT_STORY(every_slot_is_claimed_once_and_then_none_is_left),
        SLOT_STORY(who_finds_none_free_waits_for_one),
        SLOT_STORY(a_worker_killed_while_it_waits_for_a_slot_is_forgotten),
        SLOT_STORY(every_free_slot_finds_who_waits_for_it),
        SLOT_STORY(the_keeper_takes_no_more_than_it_asks_for),
        SLOT_STORY(the_keeper_sleeps_until_a_ring),
        SLOT_STORY(what_was_not_taken_is_withdrawn_at_the_deadline),
        SLOT_STORY(what_was_taken_is_left_to_the_keeper_at_the_deadline),
        SLOT_STORY(a_dead_workers_slots_are_freed_in_every_state),
        SLOT_STORY(a_dead_keepers_waiters_are_told),
        SLOT_STORY(while_a_keeper_is_dead_one_waits_for_a_moment_only),
        SLOT_STORY(a_successor_answers_for_its_predecessor_when_the_master_is_late),
        SLOT_STORY(what_a_dead_keeper_had_seen_and_not_taken_is_served_by_the_next),
        SLOT_STORY(the_masters_word_does_not_reach_a_living_successor),
        SLOT_STORY(a_late_answer_of_a_keeper_taken_for_dead_is_ignored),
        SLOT_STORY(at_a_handover_what_waits_goes_on_waiting),
        cmocka_unit_test(texts_come_out_of_a_body_as_they_went_in),
        cmocka_unit_test(a_body_takes_texts_up_to_its_last_byte),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        SLOT_STORY(every_one_of_many_threads_gets_its_own_answer),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
