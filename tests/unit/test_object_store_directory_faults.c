/*
 * test_object_store_directory_faults.c - the object store in a directory, when system calls fail.
 *
 * This program defines the calls that the store makes itself, in place of the C library's: each is
 * counted and written down, and one of them, chosen by number, fails. Every operation is run again
 * and again, with its first, second, third... call failing, until none is left to fail. Whatever
 * failed: an object is what it was or what it was to be, the answer says which, and no other object
 * is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/store/directory_store.h"
#include "support_object_store.h"

static char *place;

/* ---- The calls ---- */

enum { MAX_STEPS = 2000 };

struct step {
    const char *call;
    char path[512]; /* of the descriptor, with the name behind it */
};

static bool watching;
static int fail_at; /* counted from 0; -1 = none fails */
static int fail_number;
static struct step steps[MAX_STEPS];
static int step_count;

static void note_step(const char *call, int directory, const char *name)
{
    char link[64];
    struct step *step = &steps[step_count < MAX_STEPS ? step_count : 0];
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, step->path, sizeof step->path - 1);
    size_t end = length > 0 ? (size_t)length : 0;
    snprintf(step->path + end, sizeof step->path - end, "%s%s", name ? "/" : "", name ? name : "");
    step->call = call;
}

/* True: the call must fail, errno is set. */
static bool fault(const char *call, int directory, const char *name)
{
    if (!watching)
        return false;
    note_step(call, directory, name);
    errno = fail_number;
    return step_count++ == fail_at;
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (fault("openat", directory, name))
        return -1;
    return (int)syscall(SYS_openat, directory, name, flags, mode);
}

int mkdirat(int directory, const char *name, mode_t mode)
{
    return fault("mkdirat", directory, name) ? -1
                                             : (int)syscall(SYS_mkdirat, directory, name, mode);
}

int unlinkat(int directory, const char *name, int flags)
{
    return fault("unlinkat", directory, name) ? -1
                                              : (int)syscall(SYS_unlinkat, directory, name, flags);
}

int linkat(int from, const char *name, int to, const char *new_name, int flags)
{
    return fault("linkat", to, new_name)
               ? -1
               : (int)syscall(SYS_linkat, from, name, to, new_name, flags);
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    return fault("renameat2", to, new_name)
               ? -1
               : (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
    return fault("renameat", to, new_name)
               ? -1
               : (int)syscall(SYS_renameat2, from, name, to, new_name, 0);
}

int fsync(int file)
{
    return fault("fsync", file, NULL) ? -1 : (int)syscall(SYS_fsync, file);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    return fault("write", file, NULL) ? -1 : (ssize_t)syscall(SYS_write, file, bytes, size);
}

ssize_t pread(int file, void *bytes, size_t size, off_t offset)
{
    return fault("pread", file, NULL) ? -1
                                      : (ssize_t)syscall(SYS_pread64, file, bytes, size, offset);
}

static void watch(int call_that_fails, int number)
{
    step_count = 0;
    fail_at = call_that_fails;
    fail_number = number;
    watching = true;
}

/* Was there a successful call of that name on a path that ends so? Gives back its index or -1. */
static int find_step(int from, const char *call, const char *path_end)
{
    for (int i = from; i < step_count && i < MAX_STEPS; i++) {
        if (i != fail_at && strcmp(steps[i].call, call) == 0 &&
            view_ends_with(view_of(steps[i].path), view_of(path_end)))
            return i;
    }
    return -1;
}

/* ---- One operation under every fault ---- */

struct operation {
    const char *name;
    void (*before)(struct object_store *store); /* no fault */
    enum hearth_error (*run)(struct object_store *store, struct error_record *error);
    void (*after)(struct object_store *store, enum hearth_error result); /* no fault */
    bool only_reads; /* no disk can be too full for it */
};

static struct object_store *open_place(void)
{
    struct object_store *store = directory_store_new(place, NULL);
    assert_non_null(store);
    return store;
}

static void expect_no_litter(void)
{
    char corner[600];
    struct object_store *store = open_place();
    directory_sweep(directory_store_of(store)->root,
                    clock_wall_ms(&clock_system) / 1000 + INT64_C(2) * DIRECTORY_LEFTOVER_S);
    store->free(store);
    snprintf(corner, sizeof corner, "%s/.store\\/tmp", place);
    store = directory_store_new(corner, NULL);
    assert_non_null(store);
    store_expect_keys(store, "", "");
    store->free(store);
}

/* False when there were fewer calls than that. */
static bool run_with_fault(const struct operation *operation, int call_that_fails, int number)
{
    place = test_directory_make();
    struct object_store *store = open_place();
    operation->before(store);
    int before = dup(0);
    close(before);
    struct error_record error = {.code = HEARTH_OK};
    watch(call_that_fails, number);
    enum hearth_error result = operation->run(store, &error);
    watching = false;
    int after = dup(0);
    close(after);
    assert_int_equal(after, before); /* no descriptor was left open */
    if (result)
        assert_int_equal(result, number == ENOSPC ? HEARTH_DISK_FULL : HEARTH_IO);
    /* Before, and once more when the leftovers are swept. */
    operation->after(store, result);
    expect_no_litter();
    operation->after(store, result);
    store->free(store);
    test_directory_remove(place);
    return step_count > call_that_fails;
}

static void run_under_every_fault(const struct operation *operation)
{
    static const int numbers[] = {EIO, ENOSPC};
    for (size_t i = 0; i < (operation->only_reads ? 1 : 2); i++) {
        int call = 0;
        while (run_with_fault(operation, call, numbers[i]))
            call++;
        print_message("%s: %d calls failed in turn\n", operation->name, call);
        assert_true(call > 5);
    }
}

/* ---- Putting ---- */

static void put_old(struct object_store *store)
{
    store_put(store, "d/k", "old");
    store_put(store, "d/neighbour", "untouched");
}

static enum hearth_error put_new(struct object_store *store, struct error_record *error)
{
    return store->put(store, "d/k", VIEW("new and longer"), NULL, NULL, error);
}

static void expect_old_or_new(struct object_store *store, enum hearth_error result)
{
    bool placed = find_step(0, "renameat", "/d/k") >= 0;
    store_expect(store, "d/k", placed ? "new and longer" : "old");
    store_expect(store, "d/neighbour", "untouched");
    store_expect_keys(store, "", "d/k d/neighbour ");
    if (!result)
        assert_true(placed);
    /* After an error the old object stands, unless it was the last sync that failed. */
    if (result && placed)
        assert_true(fail_at > find_step(0, "renameat", "/d/k"));
}

static void a_put_that_replaces_is_whole_or_not_at_all(void **state)
{
    (void)state;
    run_under_every_fault(
        &(struct operation){"replace", put_old, put_new, expect_old_or_new, false});
}

static void put_nothing(struct object_store *store)
{
    store_put(store, "other", "untouched");
}

static enum hearth_error create(struct object_store *store, struct error_record *error)
{
    struct object_put_options options = {.if_absent = true};
    return store->put(store, "x/y/k", VIEW("new"), &options, NULL, error);
}

static void expect_created_or_not(struct object_store *store, enum hearth_error result)
{
    bool placed = find_step(0, "linkat", "/x/y/k") >= 0;
    store_expect_keys(store, "", placed ? "other x/y/k " : "other ");
    if (placed)
        store_expect(store, "x/y/k", "new");
    if (!result)
        assert_true(placed);
}

static void a_put_that_creates_is_whole_or_not_at_all(void **state)
{
    (void)state;
    run_under_every_fault(
        &(struct operation){"create", put_nothing, create, expect_created_or_not, false});
}

static void put_file(struct object_store *store)
{
    store_put(store, "d/a", "the object that moves inside");
}

static enum hearth_error put_below(struct object_store *store, struct error_record *error)
{
    enum hearth_error result = store->put(store, "d/a/b", VIEW("below"), NULL, NULL, error);
    /* A file system that cannot do it is told from one that failed by the error it gives. */
    assert_int_not_equal(result, HEARTH_CONFLICT);
    return result;
}

static void expect_never_lost(struct object_store *store, enum hearth_error result)
{
    bool placed = find_step(0, "renameat", "/d/a/b") >= 0;
    store_expect(store, "d/a", "the object that moves inside");
    store_expect_keys(store, "", placed ? "d/a d/a/b " : "d/a ");
    if (!result)
        assert_true(placed);
}

static void an_object_that_moves_inside_is_never_lost(void **state)
{
    (void)state;
    run_under_every_fault(
        &(struct operation){"move", put_file, put_below, expect_never_lost, false});
}

/* ---- Removing ---- */

static enum hearth_error remove_old(struct object_store *store, struct error_record *error)
{
    return store->remove(store, "d/k", VIEW_NONE, error);
}

static void expect_removed_or_old(struct object_store *store, enum hearth_error result)
{
    bool removed = find_step(0, "unlinkat", "/d/k") >= 0;
    store_expect_keys(store, "", removed ? "d/neighbour " : "d/k d/neighbour ");
    if (!result)
        assert_true(removed);
}

static void a_remove_takes_the_object_or_leaves_it(void **state)
{
    (void)state;
    run_under_every_fault(
        &(struct operation){"remove", put_old, remove_old, expect_removed_or_old, false});
}

/* ---- Reading ---- */

static char *large_bytes;

static void put_small_and_large(struct object_store *store)
{
    store_put(store, "d/small", "small");
    assert_int_equal(store->put(store, "large", view_from(large_bytes, 300000), NULL, NULL, NULL),
                     HEARTH_OK);
    store_put(store, "d", "inside");
}

static enum hearth_error read_all(struct object_store *store, struct error_record *error)
{
    static const struct {
        const char *key;
        size_t size;
    } objects[] = {{"d", 6}, {"d/small", 5}, {"large", 300000}};
    struct object_list_options options = {.prefix = "", .with_etags = true};
    struct buffer content;
    buffer_init(&content, 1000000);
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; !result && i < 3; i++) {
        buffer_reset(&content);
        result = object_get_all(store, objects[i].key, &content, NULL, error);
        if (!result)
            assert_int_equal(content.length, objects[i].size);
    }
    buffer_reset(&content);
    if (!result)
        result = store->list(store, &options, store_note_key, &content, NULL, error);
    if (!result)
        assert_true(view_equal(buffer_view(&content), VIEW("d d/small large ")));
    buffer_clean(&content);
    return result;
}

static void expect_untouched(struct object_store *store, enum hearth_error result)
{
    (void)result;
    store_expect(store, "d", "inside");
    store_expect(store, "d/small", "small");
    store_expect_bytes(store, "large", view_from(large_bytes, 300000));
}

static void reading_gives_the_whole_or_an_error(void **state)
{
    (void)state;
    large_bytes = make_bytes(300000, 1);
    run_under_every_fault(
        &(struct operation){"read", put_small_and_large, read_all, expect_untouched, true});
    free(large_bytes);
}

/* ---- The order of syncs ---- */

static void a_put_is_synced_before_it_is_named_and_its_whole_way_after(void **state)
{
    (void)state;
    place = test_directory_make();
    struct object_store *store = open_place();
    store_put(store, "p/other", "x");
    watch(-1, 0);
    store_put(store, "p/q/k", "content");
    watching = false;
    int written = find_step(0, "write", "");
    int synced = find_step(written, "fsync", "");
    int named = find_step(0, "renameat", "/p/q/k");
    assert_true(written >= 0 && synced > written && named > synced);
    assert_string_equal(steps[synced].path, steps[written].path);
    assert_non_null(strstr(steps[written].path, "/.store\\/tmp/"));
    /* The directories too that were there already: who made them may not have synced them yet. */
    assert_true(find_step(named, "fsync", "/p/q") > named);
    assert_true(find_step(named, "fsync", "/p") > named);
    assert_true(find_step(named, "fsync", place) > named);
    store->free(store);
    test_directory_remove(place);
}

static void a_remove_is_synced(void **state)
{
    (void)state;
    place = test_directory_make();
    struct object_store *store = open_place();
    store_put(store, "p/q/k", "x");
    store_put(store, "p/k", "x");
    watch(-1, 0);
    store_remove(store, "p/q/k");
    watching = false;
    int removed = find_step(0, "unlinkat", "/p/q/k"), pruned = find_step(0, "unlinkat", "/p/q");
    assert_true(removed >= 0 && pruned > removed);
    assert_true(find_step(pruned, "fsync", "/p") > pruned);
    store->free(store);
    test_directory_remove(place);
}

static void a_moved_object_is_synced_before_its_old_name_goes(void **state)
{
    (void)state;
    place = test_directory_make();
    struct object_store *store = open_place();
    store_put(store, "d/a", "moves");
    watch(-1, 0);
    store_put(store, "d/a/b", "below");
    watching = false;
    int linked = find_step(0, "linkat", "/.self\\");
    int exchanged = find_step(0, "renameat2", "/d/a");
    assert_true(linked >= 0 && exchanged > linked);
    assert_in_range(find_step(linked, "fsync", ""), (uintmax_t)linked + 1,
                    (uintmax_t)exchanged - 1);
    int synced = find_step(exchanged, "fsync", "/d");
    assert_true(synced > exchanged && find_step(exchanged, "unlinkat", "") > synced);
    store->free(store);
    test_directory_remove(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_that_replaces_is_whole_or_not_at_all),
        cmocka_unit_test(a_put_that_creates_is_whole_or_not_at_all),
        cmocka_unit_test(an_object_that_moves_inside_is_never_lost),
        cmocka_unit_test(a_remove_takes_the_object_or_leaves_it),
        cmocka_unit_test(reading_gives_the_whole_or_an_error),
        cmocka_unit_test(a_put_is_synced_before_it_is_named_and_its_whole_way_after),
        cmocka_unit_test(a_remove_is_synced),
        cmocka_unit_test(a_moved_object_is_synced_before_its_old_name_goes),
    };
    return cmocka_run_group_tests_name("directory store, faults", tests, NULL, NULL);
}
