/*
 * import_state.c - the state of an import as a small JSON file.
 */
#include "app/cli/import_state.h"

#include "handlers/sensor/disk/file_operations.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE_VERSION = 1, STATE_BYTES = 65536, HASH_BYTES = 32 };

/* ---- Which file is it? ---- */

static bool hash_hex(const void *bytes, size_t length, char hex[2 * HASH_BYTES + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes, length, hash, &size, EVP_sha256(), NULL) != 1 || size != HASH_BYTES)
        return false;
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    return true;
}

static enum hearth_error hash_head(struct import_state *state, const char *path, int file,
                                   struct error_record *error)
{
    size_t got = 0;
    char *head = malloc(IMPORT_HEAD_BYTES);
    if (!head)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read %s", path);
    enum hearth_error code =
        file_read_all(&file_system, file, path, head, IMPORT_HEAD_BYTES, 0, &got, error);
    if (code == HEARTH_OK && !hash_hex(head, got, state->head_sha256))
        code = error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read %s", path);
    free(head);
    return code;
}

static enum hearth_error name_state(struct import_state *state, const char *store,
                                    struct error_record *error)
{
    char hex[2 * HASH_BYTES + 1];
    if (!hash_hex(state->source, strlen(state->source), hex))
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the import");
    int length = snprintf(state->path, sizeof state->path, "%s/import/%.16s.json", store, hex);
    if (length > 0 && (size_t)length < sizeof state->path)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_IO, ENAMETOOLONG, "the store's name is too long");
}

/* STORE/import */
static enum hearth_error make_directory(const struct import_state *state,
                                        struct error_record *error)
{
    char directory[IMPORT_STATE_PATH_BYTES];
    snprintf(directory, sizeof directory, "%s", state->path);
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    if (mkdir(directory, 0750) == 0 || errno == EEXIST)
        return HEARTH_OK;
    return error_set_internal(error, error_from_errno(errno), errno, "make %s", directory);
}

static void lock_path(const struct import_state *state, char path[IMPORT_STATE_PATH_BYTES])
{
    snprintf(path, IMPORT_STATE_PATH_BYTES, "%.*s.lock",
             (int)(strlen(state->path) - strlen(".json")), state->path);
}

/* Two would write one state. */
static enum hearth_error take_lock(struct import_state *state, const char *name,
                                   struct error_record *error)
{
    char path[IMPORT_STATE_PATH_BYTES];
    lock_path(state, path);
    enum hearth_error code = make_directory(state, error);
    if (code == HEARTH_OK)
        code = write_lock_take(&state->lock, path, &clock_system, 0, error);
    if (code == HEARTH_LOCKED)
        error_set_internal(error, code, 0, "another process is importing %s into this store", name);
    return code;
}

enum hearth_error import_state_init(struct import_state *state, const char *store, const char *path,
                                    int file, const char *manner, struct error_record *error)
{
    struct stat status;
    *state = (struct import_state){.lock = {.file = -1},
                                   .total = {.stored = {.first_ms = -1, .last_ms = -1}}};
    snprintf(state->manner, sizeof state->manner, "%s", manner);
    state->source = realpath(path, NULL);
    if (!state->source || fstat(file, &status) != 0)
        return error_set_internal(error, error_from_errno(errno), errno, "%s", path);
    state->size = (uint64_t)status.st_size;
    state->modified_ns =
        (int64_t)status.st_mtim.tv_sec * 1000000000 + (int64_t)status.st_mtim.tv_nsec;
    enum hearth_error code = name_state(state, store, error);
    if (code == HEARTH_OK)
        code = take_lock(state, path, error);
    return code == HEARTH_OK ? hash_head(state, path, file, error) : code;
}

void import_state_clean(struct import_state *state)
{
    char path[IMPORT_STATE_PATH_BYTES];
    if (state->lock.file >= 0) {
        lock_path(state, path);
        unlink(path); /* while it is held: whoever takes the next one finds a new file */
    }
    write_lock_release(&state->lock);
    free(state->source);
    state->source = NULL;
}

/* ---- Counts ---- */

void import_counts_add(struct import_counts *sum, const struct import_counts *counts)
{
    sum->records += counts->records;
    sum->suspect += counts->suspect;
    sum->rejected += counts->rejected;
    sum->ignored += counts->ignored;
    sum->nul_bytes += counts->nul_bytes;
    for (int reason = 0; reason < REJECT_COUNT; reason++) {
        size_t at = 0;
        sum->reasons[reason] += counts->reasons[reason];
        while (at < IMPORT_FIRST_LINES && sum->first_lines[reason][at] > 0)
            at++;
        for (size_t i = 0; at < IMPORT_FIRST_LINES; i++, at++) {
            uint64_t line = counts->first_lines[reason][i];
            sum->first_lines[reason][at] = line > 0 ? line + sum->lines : 0;
        }
    }
    sum->lines += counts->lines;
}

/* ---- Writing ---- */

/* One table for writing and reading. */
#define STATE_NUMBERS(X)                                                                           \
    X("size", state->size)                                                                         \
    X("position", state->position)                                                                 \
    X("accepted", state->total.stored.accepted)                                                    \
    X("duplicate", state->total.stored.duplicate)                                                  \
    X("quarantined", state->total.stored.quarantined)                                              \
    X("records", state->total.counts.records)                                                      \
    X("suspect", state->total.counts.suspect)                                                      \
    X("rejected", state->total.counts.rejected)                                                    \
    X("ignored", state->total.counts.ignored)                                                      \
    X("nul_bytes", state->total.counts.nul_bytes)                                                  \
    X("lines", state->total.counts.lines)

static void append_reasons(struct buffer *out, const struct import_counts *counts)
{
    const char *between = "";
    buffer_append_text(out, ",\"reasons\":{");
    for (int reason = 1; reason < REJECT_COUNT; reason++) {
        if (counts->reasons[reason] == 0)
            continue;
        buffer_append_format(out, "%s\"%s\":[%" PRIu64, between,
                             record_reject_name((enum record_reject)reason),
                             counts->reasons[reason]);
        for (int i = 0; i < IMPORT_FIRST_LINES; i++)
            buffer_append_format(out, ",%" PRIu64, counts->first_lines[reason][i]);
        buffer_append_byte(out, ']');
        between = ",";
    }
    buffer_append_byte(out, '}');
}

static void append_state(struct buffer *out, const struct import_state *state)
{
    buffer_append_format(out, "{\"version\":%d,\"path\":", STATE_VERSION);
    buffer_append_json(out, view_of(state->source));
    buffer_append_format(out, ",\"modified_ns\":%" PRId64 ",\"head_sha256\":\"%s\",\"manner\":",
                         state->modified_ns, state->head_sha256);
    buffer_append_json(out, view_of(state->manner));
#define STATE_WRITE(name, number) buffer_append_format(out, ",\"%s\":%" PRIu64, name, number);
    STATE_NUMBERS(STATE_WRITE)
#undef STATE_WRITE
    append_reasons(out, &state->total.counts);
    buffer_append_text(out, "}\n");
}

static enum hearth_error write_state(const char *path, struct view text, struct error_record *error)
{
    size_t written;
    int file = file_open(&file_system, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, error);
    if (file < 0)
        return error->code;
    enum hearth_error code =
        file_write_all(&file_system, file, path, text.data, text.length, 0, &written, error);
    file_close(&file_system, file);
    return code;
}

enum hearth_error import_state_save(const struct import_state *state, struct error_record *error)
{
    char path[IMPORT_STATE_PATH_BYTES + 8];
    struct buffer out;
    snprintf(path, sizeof path, "%s.new", state->path);
    buffer_init(&out, STATE_BYTES);
    append_state(&out, state);
    enum hearth_error code = buffer_status(&out);
    if (code != HEARTH_OK)
        error_set_internal(error, code, 0, "no memory for the state of the import");
    if (code == HEARTH_OK)
        code = write_state(path, buffer_view(&out), error);
    if (code == HEARTH_OK)
        code = file_rename(&file_system, path, state->path, error);
    buffer_clean(&out);
    return code;
}

void import_state_remove(const struct import_state *state)
{
    unlink(state->path);
}

/* ---- Reading ---- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    return json_object_object_get_ex(object, name, &found) ? found : NULL;
}

static bool is_text(struct json_object *object, const char *name, const char *text)
{
    struct json_object *found = member(object, name);
    return json_object_is_type(found, json_type_string) &&
           strcmp(json_object_get_string(found), text) == 0;
}

static bool take_number(struct json_object *object, const char *name, uint64_t *number)
{
    struct json_object *found = member(object, name);
    if (!json_object_is_type(found, json_type_int) || json_object_get_int64(found) < 0)
        return false;
    *number = (uint64_t)json_object_get_int64(found);
    return true;
}

static void take_reasons(struct json_object *reasons, struct import_counts *counts)
{
    for (int reason = 1; reason < REJECT_COUNT; reason++) {
        struct json_object *array = member(reasons, record_reject_name((enum record_reject)reason));
        if (!json_object_is_type(array, json_type_array) ||
            json_object_array_length(array) != 1 + IMPORT_FIRST_LINES)
            continue;
        counts->reasons[reason] =
            (uint64_t)json_object_get_int64(json_object_array_get_idx(array, 0));
        for (size_t i = 0; i < IMPORT_FIRST_LINES; i++)
            counts->first_lines[reason][i] =
                (uint64_t)json_object_get_int64(json_object_array_get_idx(array, i + 1));
    }
}

static bool take_state(struct json_object *root, struct import_state *state)
{
    uint64_t size = state->size;
    struct json_object *version = member(root, "version"), *modified = member(root, "modified_ns");
    if (json_object_get_int(version) != STATE_VERSION || !is_text(root, "path", state->source) ||
        json_object_get_int64(modified) != state->modified_ns ||
        !is_text(root, "head_sha256", state->head_sha256) ||
        !is_text(root, "manner", state->manner))
        return false;
#define STATE_READ(name, number)                                                                   \
    if (!take_number(root, name, &(number)))                                                       \
        return false;
    STATE_NUMBERS(STATE_READ)
#undef STATE_READ
    take_reasons(member(root, "reasons"), &state->total.counts);
    return state->size == size && state->position <= size;
}

bool import_state_load(struct import_state *state)
{
    struct import_state loaded = *state;
    char text[STATE_BYTES];
    struct error_record error = {0};
    size_t got = 0;
    int file = file_open(&file_system, state->path, O_RDONLY, 0, &error);
    if (file < 0)
        return false;
    enum hearth_error code =
        file_read_all(&file_system, file, state->path, text, sizeof text - 1, 0, &got, &error);
    file_close(&file_system, file);
    text[got] = '\0';
    struct json_object *root = code == HEARTH_OK ? json_tokener_parse(text) : NULL;
    bool good = json_object_is_type(root, json_type_object) && take_state(root, &loaded);
    json_object_put(root);
    if (good)
        *state = loaded;
    return good;
}
