/*
 * test_object_store_directory.c - the object store in a directory: the common suite, and what only
 * a directory can suffer: editors, links, foreign files, crashes. The part with several processes
 * and full disks is test_object_store_directory_processes.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "app/store/directory_store.h"
#include "support_object_store.h"

static char *place; /* the directory of the running test */

static struct object_store *open_store(void *context)
{
    struct error_record error = {.code = HEARTH_OK};
    (void)context;
    struct object_store *store = directory_store_new(place, &error);
    if (!store)
        fail_msg("%s", error.detail);
    return store;
}

static void empty_store(void *context)
{
    (void)context;
    if (place)
        test_directory_remove(place);
    place = test_directory_make();
}

static const struct object_store_suite directory_suite = {
    .name = "object store: directory", .open = open_store, .empty = empty_store};

/* "PLACE/name"; valid until the next but three. */
static const char *path_of(const char *name)
{
    static char paths[4][4096];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", place, name);
    return paths[next];
}

static void expect_file(const char *name, const char *content)
{
    char bytes[1000] = "";
    FILE *file = fopen(path_of(name), "rb");
    if (!file)
        fail_msg("%s: %s", name, strerror(errno));
    size_t got = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[got] = '\0';
    assert_string_equal(bytes, content);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(path_of(name), &status) == 0;
}

static int count_temporary_files(void)
{
    struct object_store *corner = directory_store_new(path_of(".store\\/tmp"), NULL);
    assert_non_null(corner);
    char *keys = store_keys(corner, "");
    int count = 0;
    for (const char *at = keys; *at; at++)
        count += *at == ' ';
    free(keys);
    corner->free(corner);
    return count;
}

/* ---- Files that people edit ---- */

static void an_object_is_a_plain_file_under_its_key(void **state)
{
    struct stat status;
    store_put(*state, "posts/my-post.md", "# Hello\n");
    expect_file("posts/my-post.md", "# Hello\n");
    assert_int_equal(stat(path_of("posts/my-post.md"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("posts"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void a_file_that_somebody_put_there_is_an_object(void **state)
{
    struct object_store *store = *state;
    assert_int_equal(mkdir(path_of("pages"), 0755), 0);
    test_write_file(path_of("pages/me.html"), VIEW("by hand"));
    store_expect(store, "pages/me.html", "by hand");
    store_expect_keys(store, "", "pages/me.html ");
    store_put(store, "pages/me.html", "by program");
    expect_file("pages/me.html", "by program");
}

/* Overwrites the file's start, as some editors do; `hide` sets its times back to what they were. */
static void edit_in_place(const char *name, const char *content, bool hide)
{
    struct stat status;
    int file = open(path_of(name), O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(pwrite(file, content, strlen(content), 0), strlen(content));
    if (hide)
        assert_int_equal(futimens(file, (struct timespec[]){status.st_atim, status.st_mtim}), 0);
    close(file);
}

static void the_tag_follows_an_edit_in_place_even_one_that_hides_its_time(void **state)
{
    struct object_store *store = *state;
    char first[OBJECT_ETAG_SIZE], second[OBJECT_ETAG_SIZE];
    store_put(store, "k", "version 1");
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    store_tag(store, "k", first); /* kept from here on */
    edit_in_place("k", "version 2", true);
    store_tag(store, "k", second);
    assert_string_not_equal(first, second);
    store_expect(store, "k", "version 2");
    assert_int_equal(store_put_under(store, "k", "x", false, first), HEARTH_PRECONDITION_FAILED);
    assert_int_equal(store_put_under(store, "k", "x", false, second), HEARTH_OK);
}

static void the_tag_follows_edits_that_come_faster_than_the_clock_ticks(void **state)
{
    struct object_store *store = *state;
    store_put(store, "k", "000");
    store_put(store, "other", "");
    for (int i = 0; i < 1000; i++) {
        char content[16], expected[OBJECT_ETAG_SIZE], tag[OBJECT_ETAG_SIZE];
        snprintf(content, sizeof content, "%03d", i);
        edit_in_place("k", content, true);
        store_tag(store, "k", tag);
        unsigned char hash[CONTENT_HASH_BYTES];
        struct object_info info;
        assert_true(content_hash_bytes(view_of(content), hash));
        content_describe(&(struct content_stamp){.inode = 0}, hash, &info);
        snprintf(expected, sizeof expected, "%s", info.etag);
        assert_string_equal(tag, expected);
    }
}

static void a_hash_is_kept_once_the_file_has_settled_and_not_before(void **state)
{
    struct content_cache cache;
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
    store_put(*state, "k", "content");
    int file = open(path_of("k"), O_RDONLY);
    assert_true(file >= 0 && content_cache_init(&cache));
    assert_int_equal(fchmod(file, 0600), 0); /* a new change time */
    assert_int_equal(content_hash_file(&cache, file, &stamp, hash, NULL), HEARTH_OK);
    assert_false(content_cache_find(&cache, &stamp, hash));
    nanosleep(&(struct timespec){.tv_nsec = 120000000}, NULL);
    assert_int_equal(content_hash_file(&cache, file, &stamp, hash, NULL), HEARTH_OK);
    assert_true(content_cache_find(&cache, &stamp, hash));
    close(file);
    content_cache_clean(&cache);
}

struct truncation {
    size_t received, pieces;
};

static enum hearth_error truncate_meanwhile(void *context, struct view bytes)
{
    struct truncation *truncation = context;
    truncation->received += bytes.length;
    if (truncation->pieces++ == 0)
        assert_int_equal(truncate(path_of("large"), 100000), 0);
    return HEARTH_OK;
}

static enum hearth_error edit_meanwhile(void *context, struct view bytes)
{
    struct truncation *truncation = context;
    truncation->received += bytes.length;
    if (truncation->pieces++ == 0)
        edit_in_place("large", "other bytes", false);
    return HEARTH_OK;
}

static void a_large_object_that_is_edited_while_it_is_read_never_arrives_whole(void **state)
{
    static object_receive_fn *const meddlers[] = {truncate_meanwhile, edit_meanwhile};
    struct object_store *store = *state;
    char *bytes = make_bytes(1000000, 1);
    for (size_t i = 0; i < 2; i++) {
        struct truncation truncation = {.received = 0};
        struct error_record error = {.code = HEARTH_OK};
        assert_int_equal(store->put(store, "large", view_from(bytes, 1000000), NULL, NULL, NULL),
                         HEARTH_OK);
        assert_int_equal(
            store->get(store, "large", NULL, meddlers[i], &truncation, NULL, NULL, &error),
            HEARTH_IO);
        assert_true(truncation.received < 1000000);
        assert_non_null(strstr(error.detail, "changed while it was read"));
    }
    free(bytes);
}

/* ---- What is no object ---- */

static void nothing_is_reached_through_a_symbolic_link(void **state)
{
    struct object_store *store = *state;
    char *outside = test_directory_make();
    char secret[4096];
    snprintf(secret, sizeof secret, "%s/secret", outside);
    test_write_file(secret, VIEW("secret"));
    assert_int_equal(symlink(secret, path_of("file")), 0);
    assert_int_equal(symlink(outside, path_of("directory")), 0);
    store_put(store, "real", "real");
    assert_int_equal(symlink("real", path_of("inside")), 0);

    store_expect_missing(store, "file");
    store_expect_missing(store, "inside");
    store_expect_missing(store, "directory/secret");
    store_expect_keys(store, "", "real ");
    assert_int_equal(store_put_under(store, "directory/new", "x", false, NULL), HEARTH_CONFLICT);
    assert_int_equal(store_put_under(store, "directory/secret", "x", false, NULL), HEARTH_CONFLICT);
    store_remove(store, "directory/secret");
    store_remove(store, "file");
    assert_true(exists("file"));
    assert_int_equal(store_put_under(store, "file", "x", true, NULL), HEARTH_PRECONDITION_FAILED);
    store_put(store, "file", "an object now"); /* takes the link's place */
    store_expect(store, "file", "an object now");
    struct object_store *other = directory_store_new(outside, NULL);
    assert_non_null(other);
    store_expect(other, "secret", "secret");
    store_expect_keys(other, "", "secret ");
    other->free(other);
    test_directory_remove(outside);
}

static void pipes_and_files_without_a_valid_name_are_no_objects(void **state)
{
    struct object_store *store = *state;
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    test_write_file(path_of("back\\slash"), VIEW("x"));
    test_write_file(path_of("not-utf8-\xff"), VIEW("x"));
    test_write_file(path_of("new\nline"), VIEW("x"));
    store_put(store, "real", "real"); /* makes the private directory, too */
    assert_int_equal(mkdir(path_of("empty"), 0700), 0);
    store_expect_missing(store, "pipe"); /* and does not wait for a writer */
    store_expect_missing(store, "empty");
    store_expect_keys(store, "", "real ");
}

static void a_part_longer_than_a_file_name_is_refused_clearly(void **state)
{
    struct object_store *store = *state;
    struct error_record error = {.code = HEARTH_OK};
    char key[300];
    memset(key, 'k', sizeof key);
    key[255] = '\0';
    store_put(store, key, "fits");
    store_expect(store, key, "fits");
    key[255] = 'k';
    key[256] = '\0';
    assert_int_equal(store->put(store, key, VIEW("x"), NULL, NULL, &error), HEARTH_BAD_REQUEST);
    assert_true(error.public_detail);
    assert_non_null(strstr(error.detail, "255"));
    assert_int_equal(store->head(store, key, &(struct object_info){.etag = ""}, NULL),
                     HEARTH_BAD_REQUEST);
}

/* ---- Opening ---- */

static void the_directory_is_made_with_all_above_it_and_for_its_owner_alone(void **state)
{
    struct stat status;
    (void)state;
    struct object_store *store = directory_store_new(path_of("not/yet/there/"), NULL);
    assert_non_null(store);
    store_put(store, "k", "x");
    store->free(store);
    assert_int_equal(stat(path_of("not/yet/there"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    expect_file("not/yet/there/k", "x");
}

static void a_place_that_cannot_be_a_directory_is_an_error_that_names_it(void **state)
{
    struct error_record error = {.code = HEARTH_OK};
    (void)state;
    test_write_file(path_of("file"), VIEW("x"));
    assert_null(directory_store_new(path_of("file"), &error));
    assert_int_equal(error.code, HEARTH_IO);
    assert_int_equal(error.number, ENOTDIR);
    assert_non_null(strstr(error.detail, "/file"));
    assert_null(directory_store_new(path_of("file/below"), &error));
    assert_null(directory_store_new("", &error));
}

static void a_store_that_is_only_read_leaves_no_trace(void **state)
{
    struct object_store *store = *state;
    test_write_file(path_of("page.html"), VIEW("page"));
    store_expect(store, "page.html", "page");
    store_expect_keys(store, "", "page.html ");
    assert_false(exists(".store\\"));
}

static void leftovers_of_a_crash_are_swept_when_they_are_old_and_never_listed(void **state)
{
    struct object_store *store = *state;
    struct directory_store *directory = directory_store_of(store);
    int64_t now_s = clock_wall_ms(&clock_system) / 1000;
    store_put(store, "k", "x");
    test_write_file(path_of(".store\\/tmp/0123456789abcdef"), VIEW("half a fil"));
    assert_int_equal(mkdir(path_of(".store\\/tmp/directory"), 0700), 0);
    assert_int_equal(link(path_of("k"), path_of(".store\\/tmp/directory/.self\\")), 0);
    store_expect_keys(store, "", "k ");
    store->free(open_store(NULL)); /* opening does not touch what another may be writing */
    directory_sweep(directory->root, now_s + DIRECTORY_LEFTOVER_S - 60);
    assert_true(exists(".store\\/tmp/0123456789abcdef"));
    assert_true(exists(".store\\/tmp/directory/.self\\"));
    directory_sweep(directory->root, now_s + DIRECTORY_LEFTOVER_S + 60);
    assert_false(exists(".store\\/tmp/0123456789abcdef"));
    assert_false(exists(".store\\/tmp/directory"));
    store_expect(store, "k", "x");
}

/* ---- An object and others below it ---- */

static void an_object_moves_inside_when_others_come_below_it(void **state)
{
    struct object_store *store = *state;
    char before[OBJECT_ETAG_SIZE], after[OBJECT_ETAG_SIZE];
    store_put(store, "dir/a", "the object a");
    store_tag(store, "dir/a", before);
    store_put(store, "dir/a/b", "below");
    store_tag(store, "dir/a", after);
    assert_string_equal(before, after);
    expect_file("dir/a/.self\\", "the object a");
    expect_file("dir/a/b", "below");
    assert_int_equal(count_temporary_files(), 0);
    store_remove(store, "dir/a/b");
    store_remove(store, "dir/a");
    assert_false(exists("dir"));
}

static void empty_directories_go_with_the_last_object_in_them(void **state)
{
    struct object_store *store = *state;
    store_put(store, "x/y/z", "1");
    store_put(store, "x/w", "2");
    store_remove(store, "x/y/z");
    assert_false(exists("x/y"));
    assert_true(exists("x/w"));
    store_remove(store, "x/w");
    assert_false(exists("x"));
    assert_true(exists(""));
}

/* ---- Running out of things ---- */

static bool count_entry(void *context, const struct object_entry *entry)
{
    (void)entry;
    ++*(size_t *)context;
    return true;
}

static enum hearth_error use_store(struct object_store *store, size_t *listed)
{
    struct object_list_options options = {.prefix = "", .with_etags = true};
    struct object_info info;
    enum hearth_error result = store->list(store, &options, count_entry, listed, NULL, NULL);
    for (int i = 0; !result && i < 2; i++) {
        struct buffer out;
        buffer_init(&out, 1000000);
        result = object_get_all(store, i ? "large" : "a/small", &out, &info, NULL);
        buffer_clean(&out);
    }
    return result;
}

static void running_out_of_memory_is_an_error_at_any_point(void **state)
{
    struct object_store *store = *state;
    char *bytes = make_bytes(300000, 2);
    int failures = 0;
    assert_int_equal(store->put(store, "large", view_from(bytes, 300000), NULL, NULL, NULL),
                     HEARTH_OK);
    free(bytes);
    store_put(store, "a/small", "x");
    store_put(store, "a/small/but/deep", "x");
    for (int64_t allowed = 0;; allowed++) {
        size_t listed = 0;
        memory_fail_after(allowed);
        enum hearth_error result = use_store(store, &listed);
        memory_fail_after(-1);
        if (result == HEARTH_OK) {
            assert_int_equal(listed, 3);
            break;
        }
        assert_int_equal(result, HEARTH_NO_MEMORY);
        failures++;
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBJECT_STORE_STORY(an_object_is_a_plain_file_under_its_key),
        OBJECT_STORE_STORY(a_file_that_somebody_put_there_is_an_object),
        OBJECT_STORE_STORY(the_tag_follows_an_edit_in_place_even_one_that_hides_its_time),
        OBJECT_STORE_STORY(the_tag_follows_edits_that_come_faster_than_the_clock_ticks),
        OBJECT_STORE_STORY(a_hash_is_kept_once_the_file_has_settled_and_not_before),
        OBJECT_STORE_STORY(a_large_object_that_is_edited_while_it_is_read_never_arrives_whole),
        OBJECT_STORE_STORY(nothing_is_reached_through_a_symbolic_link),
        OBJECT_STORE_STORY(pipes_and_files_without_a_valid_name_are_no_objects),
        OBJECT_STORE_STORY(a_part_longer_than_a_file_name_is_refused_clearly),
        OBJECT_STORE_STORY(the_directory_is_made_with_all_above_it_and_for_its_owner_alone),
        OBJECT_STORE_STORY(a_place_that_cannot_be_a_directory_is_an_error_that_names_it),
        OBJECT_STORE_STORY(a_store_that_is_only_read_leaves_no_trace),
        OBJECT_STORE_STORY(leftovers_of_a_crash_are_swept_when_they_are_old_and_never_listed),
        OBJECT_STORE_STORY(an_object_moves_inside_when_others_come_below_it),
        OBJECT_STORE_STORY(empty_directories_go_with_the_last_object_in_them),
        OBJECT_STORE_STORY(running_out_of_memory_is_an_error_at_any_point),
    };
    int failed = object_store_suite_run(&directory_suite);
    failed += cmocka_run_group_tests_name("directory store", tests, NULL, NULL);
    test_directory_remove(place);
    return failed;
}
