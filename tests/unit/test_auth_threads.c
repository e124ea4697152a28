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
#include <time.h>

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

static void open_gate(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

struct asking {
    pthread_t thread;
    const char *token;
    enum hearth_error outcome;
    atomic_bool over;
};

static void *check_once(void *context)
{
    struct asking *asking = context;
    struct auth_identity identity;
    asking->outcome = auth_check(auth, view_of(asking->token), 0, &identity);
    asking->over = true;
    return NULL;
}

static void ask(struct asking *asking, const char *token)
{
    *asking = (struct asking){.token = token, .outcome = HEARTH_INTERNAL};
    assert_int_equal(pthread_create(&asking->thread, NULL, check_once, asking), 0);
}

/* One thread asks the store, which does not answer until the gate is opened. */
static void ask_slow_store(struct asking *asking)
{
    memory.before_read = wait_at_gate;
    gate_open = false;
    clock_manual_advance_ms(&manual, 10);
    ask(asking, kept);
    pthread_mutex_lock(&gate_lock);
    while (gate_waiting == 0)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static void a_slow_store_holds_up_only_the_thread_that_asks_it(void **state)
{
    (void)state;
    struct asking first;
    struct auth_identity identity;
    ask_slow_store(&first);
    /* A hundred intervals pass; everybody else is let in. */
    for (int i = 0; i < 100; i++) {
        clock_manual_advance_ms(&manual, 10);
        assert_int_equal(auth_check(auth, view_of(kept), 0, &identity), HEARTH_OK);
    }
    assert_int_equal(gate_waiting, 1);
    open_gate();
    assert_int_equal(pthread_join(first.thread, NULL), 0);
    assert_int_equal(first.outcome, HEARTH_OK);
}

/* A sensor takes 401 for an answer that will not change. */
static void a_new_token_waits_for_the_look_that_may_find_it(void **state)
{
    (void)state;
    enum { ASKING = 4 };
    char token[AUTH_TOKEN_SIZE], id[17];
    struct asking first, others[ASKING];
    make_token("new", token, id);
    ask_slow_store(&first);
    for (int i = 0; i < ASKING; i++)
        ask(&others[i], token);
    for (int i = 0; i < 50; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < ASKING; i++)
        assert_false(others[i].over);
    open_gate();
    assert_int_equal(pthread_join(first.thread, NULL), 0);
    for (int i = 0; i < ASKING; i++) {
        assert_int_equal(pthread_join(others[i].thread, NULL), 0);
        assert_int_equal(others[i].outcome, HEARTH_OK);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(threads_see_a_good_token_good_while_others_come_and_go),
        STORY(a_slow_store_holds_up_only_the_thread_that_asks_it),
        STORY(a_new_token_waits_for_the_look_that_may_find_it),
    };
    return cmocka_run_group_tests_name("auth: threads", tests, NULL, NULL);
}
