/*
 * test_object_store_directory_processes.c - the object store in a directory, under several
 * processes, kill -9 and full disks.
 *
 * Child processes must not fail a test by jumping out of it, so they count what they see in memory
 * that is shared with the test, or say it in their exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/store/directory_store.h"
#include "support_object_store.h"

enum { PROCESSES = 8, ROUNDS = 40, INCREMENTS = 40 };

struct shared {
    atomic_int arrived, round; /* a barrier */
    atomic_int won, lost, failed;
    atomic_int last_done; /* the last number that a writer's put has acknowledged */
};

static char *place;
static struct shared *shared;

static int setup_place(void **state)
{
    place = test_directory_make();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *state = directory_store_new(place, NULL);
    return *state && shared != MAP_FAILED ? 0 : -1;
}

static int teardown_place(void **state)
{
    struct object_store *store = *state;
    store->free(store);
    munmap(shared, sizeof *shared);
    test_directory_remove(place);
    return 0;
}

typedef void child_work_fn(struct object_store *store, int number);

/* A process with a handle of its own. */
static pid_t start_child(child_work_fn *work, int number)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    struct object_store *store = directory_store_new(place, NULL);
    if (store) {
        work(store, number);
        store->free(store);
    }
    _exit(store ? 0 : 1);
}

static void run_children(child_work_fn *work)
{
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start_child(work, i);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* Waits until all processes have come to this round. */
static void meet(int round)
{
    if (atomic_fetch_add(&shared->arrived, 1) == PROCESSES - 1) {
        atomic_store(&shared->arrived, 0);
        atomic_store(&shared->round, round + 1);
    }
    while (atomic_load(&shared->round) <= round)
        sched_yield();
}

static int count_leftovers(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/.store\\/tmp", place);
    struct object_store *corner = directory_store_new(path, NULL);
    assert_non_null(corner);
    char *keys = store_keys(corner, "");
    int count = 0;
    for (const char *at = keys; *at; at++)
        count += *at == ' ';
    free(keys);
    corner->free(corner);
    return count;
}

static void pause_us(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* ---- Several writers ---- */

static void create_each_round(struct object_store *store, int number)
{
    for (int round = 0; round < ROUNDS; round++) {
        char key[32], content[32];
        snprintf(key, sizeof key, "race/%d", round);
        snprintf(content, sizeof content, "%d", number);
        meet(round);
        enum hearth_error result = store_put_under(store, key, content, true, NULL);
        atomic_int *count = result == HEARTH_OK                    ? &shared->won
                            : result == HEARTH_PRECONDITION_FAILED ? &shared->lost
                                                                   : &shared->failed;
        atomic_fetch_add(count, 1);
    }
}

static void exactly_one_of_many_processes_creates_an_object(void **state)
{
    (void)state;
    run_children(create_each_round);
    assert_int_equal(shared->won, ROUNDS);
    assert_int_equal(shared->lost, ROUNDS * (PROCESSES - 1));
    assert_int_equal(shared->failed, 0);
    assert_int_equal(count_leftovers(), 0);
}

static void increment_often(struct object_store *store, int number)
{
    (void)number;
    meet(0);
    for (int i = 0; i < INCREMENTS; i++) {
        if (!store_increment(store, "counters/one"))
            atomic_fetch_add(&shared->failed, 1);
    }
}

static void conditional_puts_of_many_processes_lose_no_update(void **state)
{
    char expected[32];
    store_put(*state, "counters/one", "0");
    run_children(increment_often);
    assert_int_equal(shared->failed, 0);
    snprintf(expected, sizeof expected, "%d", PROCESSES * INCREMENTS);
    store_expect(*state, "counters/one", expected);
    assert_int_equal(count_leftovers(), 0);
}

/* "n", "n/1/n", "n/1", "n/2/n", ...: moved inside, made and removed under each other's feet. */
static void come_and_go(struct object_store *store, int number)
{
    char key[64] = "n";
    struct object_info info;
    if (number > 0)
        snprintf(key, sizeof key, "n/%d%s", (number + 1) / 2, number % 2 ? "/n" : "");
    meet(0);
    for (int i = 0; i < ROUNDS; i++) {
        struct error_record error = {.code = HEARTH_OK};
        struct object_put_options options = {.if_absent = i % 2};
        if (store->put(store, key, view_of(key), &options, NULL, &error) != HEARTH_OK ||
            store->head(store, key, &info, &error) != HEARTH_OK ||
            store->remove(store, key, VIEW_NONE, &error) != HEARTH_OK ||
            store->head(store, key, &info, NULL) != HEARTH_NOT_FOUND) {
            fprintf(stderr, "%s: %s %s (%s)\n", key, error_name(error.code), error.detail,
                    strerror(error.number));
            atomic_fetch_add(&shared->failed, 1);
        }
    }
}

static void objects_in_each_others_way_come_and_go_in_many_processes(void **state)
{
    char path[4096];
    run_children(come_and_go);
    assert_int_equal(shared->failed, 0);
    store_expect_keys(*state, "", "");
    assert_int_equal(count_leftovers(), 0);
    snprintf(path, sizeof path, "%s/n", place);
    struct stat status;
    assert_int_not_equal(stat(path, &status), 0); /* no empty directory is left either */
}

/* ---- A holder of the lock that stands still ---- */

static void hold_the_lock(struct object_store *store, int number)
{
    int lock;
    (void)number;
    if (directory_lock(directory_store_of(store), VIEW("k"), &lock, NULL) != HEARTH_OK)
        return;
    atomic_store(&shared->arrived, 1);
    for (;;)
        pause();
}

static void a_writer_that_stands_still_blocks_its_key_alone_and_its_death_frees_it(void **state)
{
    struct object_store *store = *state;
    struct error_record error = {.code = HEARTH_OK};
    pid_t child = start_child(hold_the_lock, 0);
    while (!atomic_load(&shared->arrived))
        pause_us(1000);
    directory_store_of(store)->lock_wait_ms = 100;
    int64_t start_ns = clock_monotonic_ns(&clock_system);
    assert_int_equal(store->put(store, "k", VIEW("x"), NULL, NULL, &error), HEARTH_UNAVAILABLE);
    assert_non_null(strstr(error.detail, "lock"));
    assert_true(clock_monotonic_ns(&clock_system) - start_ns >= 100000000);
    assert_int_equal(store->remove(store, "k", VIEW_NONE, NULL), HEARTH_UNAVAILABLE);
    store_put(store, "other", "goes on");
    store_expect(store, "other", "goes on");
    assert_int_equal(count_leftovers(), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    store_put(store, "k", "free again");
    store_expect(store, "k", "free again");
}

/* ---- kill -9 ---- */

enum { CRASHES = 60, LARGE_BYTES = 200000 };

/* Versions of one object, and objects that move inside: all that is acknowledged is counted. */
static void write_until_killed(struct object_store *store, int first)
{
    char *bytes = malloc(LARGE_BYTES);
    if (!bytes)
        _exit(4);
    for (int i = first;; i++) {
        char key[32], content[32];
        size_t size = i % 3 ? LARGE_BYTES : 10;
        memset(bytes, 'a' + i % 26, size);
        snprintf(content, sizeof content, "%d", i);
        snprintf(key, sizeof key, "n/%d", i);
        if (store->put(store, "versions/one", view_from(bytes, size), NULL, NULL, NULL) ||
            store_put_under(store, key, content, true, NULL))
            _exit(2);
        atomic_store(&shared->last_done, i);
        snprintf(key, sizeof key, "n/%d/below", i);
        if (store_put_under(store, key, content, false, NULL))
            _exit(3);
    }
}

static void expect_whole_version(struct object_store *store)
{
    struct buffer content;
    buffer_init(&content, LARGE_BYTES);
    assert_int_equal(object_get_all(store, "versions/one", &content, NULL, NULL), HEARTH_OK);
    assert_true(content.length == 10 || content.length == LARGE_BYTES);
    for (size_t i = 1; i < content.length; i++)
        assert_int_equal(content.data[i], content.data[0]);
    buffer_clean(&content);
}

static void expect_all_acknowledged(struct object_store *store, int from)
{
    for (int i = from; i <= atomic_load(&shared->last_done); i++) {
        char key[32], content[32];
        snprintf(key, sizeof key, "n/%d", i);
        snprintf(content, sizeof content, "%d", i);
        store_expect(store, key, content);
    }
}

static void a_writer_killed_at_any_moment_leaves_whole_objects_and_no_lasting_litter(void **state)
{
    struct object_store *store = *state;
    uint32_t random = (uint32_t)clock_monotonic_ns(&clock_system);
    print_message("seed %u\n", random);
    store_put(store, "versions/one", "----------");
    atomic_store(&shared->last_done, -1);
    for (int crash = 0; crash < CRASHES; crash++) {
        int from = atomic_load(&shared->last_done) + 1;
        pid_t child = start_child(write_until_killed, from + crash);
        random = random * 1664525u + 1013904223u;
        pause_us(2000 + (long)((random >> 8) % 20000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        expect_whole_version(store);
        if (atomic_load(&shared->last_done) >= from + crash)
            expect_all_acknowledged(store, from + crash);
    }
    directory_sweep(directory_store_of(store)->root,
                    clock_wall_ms(&clock_system) / 1000 + INT64_C(2) * DIRECTORY_LEFTOVER_S);
    assert_int_equal(count_leftovers(), 0);
    store_put(store, "versions/one", "alive");
    store_expect(store, "versions/one", "alive");
}

/* ---- Full disks ---- */

/* Says what went wrong, on the test's standard error, and ends the child. */
#define CHILD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

enum { CHILD_SKIPS = 77 };

static bool object_is(struct object_store *store, const char *key, struct view expected)
{
    struct buffer content;
    buffer_init(&content, 10000000);
    bool same = object_get_all(store, key, &content, NULL, NULL) == HEARTH_OK &&
                view_equal(buffer_view(&content), expected);
    buffer_clean(&content);
    return same;
}

static bool count_entry(void *context, const struct object_entry *entry)
{
    (void)entry;
    ++*(size_t *)context;
    return true;
}

static size_t count_objects(const char *directory)
{
    size_t count = 0;
    struct object_list_options everything = {.prefix = ""};
    struct object_store *store = directory_store_new(directory, NULL);
    CHILD_CHECK(store);
    CHILD_CHECK(!store->list(store, &everything, count_entry, &count, NULL, NULL));
    store->free(store);
    return count;
}

/* A small file system in a mount namespace of this process: it goes when the process does. */
static void mount_small(const char *options)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", place, "tmpfs", 0, options) != 0)
        _exit(CHILD_SKIPS);
}

static void run_alone(void (*work)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS) {
        print_message("SKIPPED: mounting a small file system needs root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void fill_the_disk(void)
{
    char *bytes = make_bytes(800000, 1), corner[4096];
    struct error_record error = {.code = HEARTH_OK};
    mount_small("size=512k");
    struct object_store *store = directory_store_new(place, NULL);
    CHILD_CHECK(store);
    snprintf(corner, sizeof corner, "%s/.store\\/tmp", place);
    struct view old = view_from(bytes, 100000), large = view_from(bytes, 800000);
    CHILD_CHECK(store->put(store, "k", old, NULL, NULL, NULL) == HEARTH_OK);
    CHILD_CHECK(store->put(store, "k", large, NULL, NULL, &error) == HEARTH_DISK_FULL);
    CHILD_CHECK(error.number == ENOSPC && !error.public_detail);
    CHILD_CHECK(object_is(store, "k", old));
    CHILD_CHECK(count_objects(corner) == 0);
    CHILD_CHECK(store->put(store, "new/object", large, NULL, NULL, NULL) == HEARTH_DISK_FULL);
    CHILD_CHECK(count_objects(place) == 1);
    CHILD_CHECK(store->put(store, "most", view_from(bytes, 390000), NULL, NULL, NULL) == HEARTH_OK);
    CHILD_CHECK(store->put(store, "k", old, NULL, NULL, NULL) == HEARTH_DISK_FULL);
    CHILD_CHECK(object_is(store, "k", old));
    CHILD_CHECK(store->remove(store, "most", VIEW_NONE, NULL) == HEARTH_OK);
    CHILD_CHECK(store->put(store, "k", VIEW("new"), NULL, NULL, NULL) == HEARTH_OK);
    CHILD_CHECK(object_is(store, "k", VIEW("new")));
    CHILD_CHECK(count_objects(corner) == 0);
    store->free(store);
    free(bytes);
}

static void a_full_disk_leaves_the_old_object_and_no_litter(void **state)
{
    (void)state;
    run_alone(fill_the_disk);
}

/* Directories, locks and files each need an inode: whichever is missing, the answer is the same. */
static void use_up_inodes(void)
{
    for (int inodes = 2; inodes < 12; inodes++) {
        char options[64];
        snprintf(options, sizeof options, "size=1m,nr_inodes=%d", inodes);
        mount_small(options);
        struct object_store *store = directory_store_new(place, NULL);
        CHILD_CHECK(store);
        enum hearth_error first = store_put_under(store, "a", "a", false, NULL);
        enum hearth_error second = store_put_under(store, "a/b/c", "abc", false, NULL);
        CHILD_CHECK(first == HEARTH_OK || first == HEARTH_DISK_FULL);
        CHILD_CHECK(inodes > 3 || first == HEARTH_DISK_FULL);
        CHILD_CHECK(inodes < 6 || first == HEARTH_OK);
        CHILD_CHECK(second == HEARTH_OK || second == HEARTH_DISK_FULL);
        CHILD_CHECK(inodes > 6 || second == HEARTH_DISK_FULL);
        CHILD_CHECK(inodes < 11 || second == HEARTH_OK);
        CHILD_CHECK(count_objects(place) == (size_t)(!first + !second));
        CHILD_CHECK(first || object_is(store, "a", VIEW("a")));
        CHILD_CHECK(second || object_is(store, "a/b/c", VIEW("abc")));
        store->free(store);
        CHILD_CHECK(umount(place) == 0);
    }
}

static void a_disk_without_room_for_names_leaves_what_stands(void **state)
{
    (void)state;
    run_alone(use_up_inodes);
}

/* The kernel writes what still fits, and only the next write fails: a short write. */
static void limit_file_size(void)
{
    char *bytes = make_bytes(300000, 4), corner[4096];
    struct object_store *store = directory_store_new(place, NULL);
    CHILD_CHECK(store);
    snprintf(corner, sizeof corner, "%s/.store\\/tmp", place);
    CHILD_CHECK(store_put_under(store, "k", "old", false, NULL) == HEARTH_OK);
    signal(SIGXFSZ, SIG_IGN);
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000}) == 0);
    struct view content = view_from(bytes, 300000);
    CHILD_CHECK(store->put(store, "k", content, NULL, NULL, NULL) == HEARTH_IO);
    CHILD_CHECK(store->put(store, "new", content, NULL, NULL, NULL) == HEARTH_IO);
    CHILD_CHECK(object_is(store, "k", VIEW("old")));
    CHILD_CHECK(count_objects(place) == 1);
    CHILD_CHECK(count_objects(corner) == 0);
    store->free(store);
    free(bytes);
}

static void a_write_cut_short_leaves_the_old_object_and_no_litter(void **state)
{
    (void)state;
    run_alone(limit_file_size);
}

static void use_up_descriptors(void)
{
    struct object_store *store = directory_store_new(place, NULL);
    struct object_info info;
    CHILD_CHECK(store);
    CHILD_CHECK(store_put_under(store, "a/b/k", "old", false, NULL) == HEARTH_OK);
    int before = dup(0), works = 0;
    CHILD_CHECK(before > 0 && close(before) == 0);
    for (rlim_t room = 0; room < 12; room++) {
        struct rlimit limit = {(rlim_t)before + room, 1024};
        struct error_record error = {.code = HEARTH_OK};
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        enum hearth_error result = store->put(store, "a/b/k", VIEW("new"), NULL, &info, &error);
        CHILD_CHECK(result == HEARTH_OK || (result == HEARTH_IO && error.number == EMFILE));
        works += result == HEARTH_OK;
        enum hearth_error head = store->head(store, "a/b/k", &info, NULL);
        CHILD_CHECK(head == HEARTH_OK || (head == HEARTH_IO && room < 3));
        int after = dup(0);
        CHILD_CHECK(room == 0 || after == before); /* nothing was left open */
        close(after);
    }
    CHILD_CHECK(works >= 4);
    CHILD_CHECK(object_is(store, "a/b/k", VIEW("new")));
    store->free(store);
}

static void running_out_of_descriptors_is_an_error_at_any_point(void **state)
{
    (void)state;
    run_alone(use_up_descriptors);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup_place, teardown_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(exactly_one_of_many_processes_creates_an_object),
        STORY(conditional_puts_of_many_processes_lose_no_update),
        STORY(objects_in_each_others_way_come_and_go_in_many_processes),
        STORY(a_writer_that_stands_still_blocks_its_key_alone_and_its_death_frees_it),
        STORY(a_writer_killed_at_any_moment_leaves_whole_objects_and_no_lasting_litter),
        STORY(a_full_disk_leaves_the_old_object_and_no_litter),
        STORY(a_disk_without_room_for_names_leaves_what_stands),
        STORY(a_write_cut_short_leaves_the_old_object_and_no_litter),
        STORY(running_out_of_descriptors_is_an_error_at_any_point),
    };
    return cmocka_run_group_tests_name("directory store, processes", tests, NULL, NULL);
}
