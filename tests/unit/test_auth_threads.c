/*
 * test_auth_threads.c - many threads check while the state changes, and while the store is slow.
 */
#include "support.h"

#include "app/http/auth_state.h"
#include "hearth/auth.h"
#include "support_memory_store.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 200 };

static struct memory_store memory;
static struct clock_manual manual;
static struct auth *auth;
static char kept[AUTH_TOKEN_SIZE];
static atomic_bool stop;
static atomic_int wrong, checked;

static void make_token(const char *name, char token[AUTH_TOKEN_SIZE], char id[17])
{
    struct auth_token_options options = {.name = name, .scopes = SCOPE_DATA_WRITE};
    assert_int_equal(auth_token_new(&memory.store, &manual.clock, &options, token, id, NULL),
                     HEARTH_OK);
}

static int setup(void **state)
{
    (void)state;
    char id[17];
    assert_int_equal(log_configure(&(struct log_options){.level = LOG_LEVEL_OFF}), HEARTH_OK);
    memory_store_init(&memory);
    clock_manual_init(&manual, 1);
    make_token("kept", kept, id);
    auth = auth_new(&memory.store, &manual.clock, 10);
    assert_non_null(auth);
    stop = false;
    wrong = checked = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_free(auth);
    memory_store_clean(&memory);
    return 0;
}

/* The token that is never revoked is let in at every moment. */
static void *keep_checking(void *unused)
{
    struct auth_identity identity;
    (void)unused;
    while (!stop) {
        if (auth_check(auth, view_of(kept), SCOPE_DATA_WRITE, &identity) != HEARTH_OK ||
            strcmp(identity.name, "kept") != 0)
            wrong++;
        checked++;
    }
    return NULL;
}

static void threads_see_a_good_token_good_while_others_come_and_go(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char token[AUTH_TOKEN_SIZE], id[17];
    struct auth_identity identity;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_checking, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        make_token("other", token, id);
        clock_manual_advance_ms(&manual, 10);
        assert_int_equal(auth_token_revoke(&memory.store, &manual.clock, id, NULL), HEARTH_OK);
        clock_manual_advance_ms(&manual, 10);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(checked > 0);
    clock_manual_advance_ms(&manual, 10);
    assert_int_equal(auth_check(auth, view_of(token), 0, &identity), HEARTH_UNAUTHORIZED);
}

/* ---- A slow store holds up the one thread that asks it ---- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int gate_waiting;

static void wait_at_gate(struct memory_store *store, void *unused)
{
    (void)store;
    (void)unused;
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    pthread_cond_broadcast(&gate_changed);
    while (!gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    gate_waiting--;
    pthread_mutex_unlock(&gate_lock);
}

static void *check_once(void *outcome)
{
    struct auth_identity identity;
    *(enum hearth_error *)outcome = auth_check(auth, view_of(kept), 0, &identity);
    return NULL;
}

static void a_slow_store_holds_up_only_the_thread_that_asks_it(void **state)
{
    (void)state;
    pthread_t asking;
    enum hearth_error outcome = HEARTH_INTERNAL;
    struct auth_identity identity;
    memory.before_read = wait_at_gate;
    gate_open = false;
    clock_manual_advance_ms(&manual, 10);
    assert_int_equal(pthread_create(&asking, NULL, check_once, &outcome), 0);
    pthread_mutex_lock(&gate_lock);
    while (gate_waiting == 0)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
    /* The store does not answer; a hundred intervals pass; everybody else is let in. */
    for (int i = 0; i < 100; i++) {
        clock_manual_advance_ms(&manual, 10);
        assert_int_equal(auth_check(auth, view_of(kept), 0, &identity), HEARTH_OK);
    }
    assert_int_equal(gate_waiting, 1);
    pthread_mutex_lock(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
    assert_int_equal(pthread_join(asking, NULL), 0);
    assert_int_equal(outcome, HEARTH_OK);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(threads_see_a_good_token_good_while_others_come_and_go),
        STORY(a_slow_store_holds_up_only_the_thread_that_asks_it),
    };
    return cmocka_run_group_tests_name("auth: threads", tests, NULL, NULL);
}
