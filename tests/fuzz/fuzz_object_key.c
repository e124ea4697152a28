/*
 * fuzz_object_key.c - any bytes as the keys of two objects (cut at the first NUL).
 *
 * What is a key is judged a second time here, by other code. Two keys that are valid then live in a
 * store side by side, whatever they look like: each gives back its own content, the list shows
 * both in order, and removing them leaves nothing, nor anything outside of the store's directory.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hearth/limits.h"
#include "hearth/object_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char outer[64]; /* holds nothing but the store's directory */
static struct object_store *store;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void remove_all(void)
{
    char path[128];
    static const char *const inner[] = {"/store/.store\\/tmp", "/store/.store\\/lock",
                                        "/store/.store\\", "/store", ""};
    store->free(store);
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        snprintf(path, sizeof path, "%s%s", outer, inner[i]);
        must(remove(path) == 0); /* so there was nothing else in it */
    }
}

static void open_once(void)
{
    char path[128];
    if (store)
        return;
    /* In memory where there is such a place: each input syncs a few times. */
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(outer, sizeof outer, "%s/hearth-fuzz-XXXXXX", where);
    must(mkdtemp(outer) != NULL);
    snprintf(path, sizeof path, "%s/store", outer);
    store = directory_store_new(path, NULL);
    must(store != NULL);
    must(store->put(store, "k", VIEW(""), NULL, NULL, NULL) == HEARTH_OK);
    must(store->remove(store, "k", VIEW_NONE, NULL) == HEARTH_OK);
    atexit(remove_all);
}

/* ---- The second opinion ---- */

static bool is_utf8(const unsigned char *at)
{
    while (*at) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        int more = *at < 0x80       ? 0
                   : *at >> 5 == 6  ? 1
                   : *at >> 4 == 14 ? 2
                   : *at >> 3 == 30 ? 3
                                    : -1;
        if (more < 0)
            return false;
        uint32_t code = more ? *at & (0x3Fu >> more) : *at;
        for (int i = 1; i <= more; i++) {
            if (at[i] >> 6 != 2)
                return false;
            code = code << 6 | (at[i] & 0x3Fu);
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ||
            (more && code < least[more + 1]))
            return false;
        at += more + 1;
    }
    return true;
}

static bool is_key(const char *text)
{
    char padded[LIMIT_OBJECT_KEY + 3];
    size_t length = strlen(text);
    if (length == 0 || length > LIMIT_OBJECT_KEY || !is_utf8((const unsigned char *)text))
        return false;
    snprintf(padded, sizeof padded, "/%s/", text);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < ' ' || byte == 127 || byte == '\\')
            return false;
    }
    return !strstr(padded, "//") && !strstr(padded, "/./") && !strstr(padded, "/../");
}

static bool fits_file_names(const char *key)
{
    size_t length = 0;
    for (; *key; key++) {
        length = *key == '/' ? 0 : length + 1;
        if (length > 255)
            return false;
    }
    return true;
}

/* ---- Objects under these keys ---- */

static void put(const char *key)
{
    enum hearth_error expected =
        is_key(key) && fits_file_names(key) ? HEARTH_OK : HEARTH_BAD_REQUEST;
    must(object_key_valid(view_of(key)) == is_key(key));
    must(store->put(store, key, view_of(key), NULL, NULL, NULL) == expected);
}

static bool expect(const char *key)
{
    struct buffer content;
    buffer_init(&content, LIMIT_OBJECT_KEY);
    enum hearth_error result = object_get_all(store, key, &content, NULL, NULL);
    must(result == HEARTH_OK || result == HEARTH_BAD_REQUEST);
    must(result == HEARTH_BAD_REQUEST || view_equal(buffer_view(&content), view_of(key)));
    buffer_clean(&content);
    return result == HEARTH_OK;
}

static bool note_key(void *context, const struct object_entry *entry)
{
    return buffer_append_text(context, entry->key) == HEARTH_OK &&
           buffer_append_byte(context, '\n') == HEARTH_OK;
}

static void expect_list(const char *first, const char *second)
{
    char expected[2 * LIMIT_OBJECT_KEY + 3] = "";
    struct object_list_options everything = {.prefix = ""};
    struct buffer keys;
    buffer_init(&keys, sizeof expected);
    must(store->list(store, &everything, note_key, &keys, NULL, NULL) == HEARTH_OK);
    snprintf(expected, sizeof expected, "%s%s%s%s", first ? first : "", first ? "\n" : "",
             second ? second : "", second ? "\n" : "");
    must(view_equal(buffer_view(&keys), view_of(expected)));
    buffer_clean(&keys);
}

static void try_keys(const char *a, const char *b)
{
    put(a);
    put(b);
    const char *first = expect(a) ? a : NULL, *second = expect(b) ? b : NULL;
    if (first && second && strcmp(a, b) == 0)
        second = NULL;
    else if (first && second && strcmp(a, b) > 0) {
        first = b;
        second = a;
    }
    expect_list(first, second);
    (void)store->remove(store, a, VIEW_NONE, NULL);
    (void)store->remove(store, b, VIEW_NONE, NULL);
    expect_list(NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096] = "";
    if (size >= sizeof text - 1)
        return 0;
    open_once();
    memcpy(text, data, size);
    text[size] = '\0';
    const char *second = text + strlen(text) + 1;
    try_keys(text, second < text + size ? second : "");
    return 0;
}
