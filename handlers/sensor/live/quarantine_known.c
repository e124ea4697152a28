/*
 * quarantine_known.c - which slots of live files stand in the quarantine already, and with which
 * bytes.
 *
 * Bytes belong to it: a file that was cut is written to again, so that other bytes may stand, and
 * go bad, where bad ones stood before. Runs of slots that differ are taken apart, a run for each. A
 * slot with the same bytes is never quarantined twice, so that runs of one file with the same bytes
 * do not overlap: sorted by bytes and then by slot, the last one that begins at or before a slot
 * decides.
 */
#include "handlers/sensor/live/quarantine.h"

#include "handlers/sensor/disk/live_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_BYTES = 4096 }; /* of different slots in one line (live_recovery.h), at most */

struct known {
    struct file_operations *files;
    struct quarantined_runs *runs;
    char directory[QUARANTINE_PATH_BYTES];
    size_t capacity;
    enum hearth_error code;
    struct error_record *error;
};

/* ---- A line ---- */

static void add_run(struct known *known, uint64_t sequence, uint64_t slot, uint64_t count,
                    struct view bytes)
{
    struct quarantined_runs *runs = known->runs;
    if (runs->count == known->capacity) {
        size_t capacity = known->capacity ? known->capacity * 2 : 64;
        struct quarantined_run *grown = memory_resize(runs->runs, capacity * sizeof *grown);
        if (!grown) {
            known->code = error_set_internal(known->error, HEARTH_NO_MEMORY, 0,
                                             "no memory to read the quarantine");
            return;
        }
        runs->runs = grown;
        known->capacity = capacity;
    }
    struct quarantined_run *run = &runs->runs[runs->count++];
    *run = (struct quarantined_run){sequence, slot, count, (uint8_t)bytes.length, {0}};
    memcpy(run->bytes, bytes.data, bytes.length);
}

/* A line that makes no sense says nothing: then its slots are quarantined again. */
static void add_line(struct known *known, uint64_t sequence, uint64_t slot, uint64_t count,
                     struct view bytes)
{
    bool alike = bytes.length > 0 && bytes.length <= QUARANTINED_SLOT_BYTES;
    if (alike)
        add_run(known, sequence, slot, count, bytes);
    else if (bytes.length % QUARANTINED_SLOT_BYTES == 0 &&
             bytes.length / QUARANTINED_SLOT_BYTES == count)
        for (uint64_t i = 0; i < count && known->code == HEARTH_OK; i++)
            add_run(known, sequence, slot + i, 1,
                    view_slice(bytes, (size_t)i * QUARANTINED_SLOT_BYTES, QUARANTINED_SLOT_BYTES));
}

static int digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Up to the padding; empty when it is not base64 or too long. */
static struct view decode(struct view text, char bytes[RUN_BYTES])
{
    uint32_t group = 0;
    unsigned bits = 0;
    size_t length = 0;
    for (size_t i = 0; i < text.length && text.data[i] != '='; i++) {
        int value = digit_value(text.data[i]);
        if (value < 0 || length == RUN_BYTES)
            return VIEW_NONE;
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[length++] = (char)(group >> bits & 0xFF);
        }
    }
    return view_from(bytes, length);
}

static struct view text_member(struct json_object *object, const char *name)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, name, &value) ||
        !json_object_is_type(value, json_type_string))
        return VIEW_NONE;
    return view_from(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

static uint64_t number_member(struct json_object *object, const char *name)
{
    struct json_object *value;
    return json_object_object_get_ex(object, name, &value) ? json_object_get_uint64(value) : 0;
}

static void read_line(struct known *known, struct json_tokener *tokener, struct view line)
{
    char decoded[RUN_BYTES];
    if (view_find(line, VIEW("\"source\":\"recovery\"")) == SIZE_MAX || line.length > INT32_MAX)
        return;
    json_tokener_reset(tokener);
    struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
    struct json_object *sequence;
    if (json_object_object_get_ex(object, "sequence", &sequence)) {
        struct view bytes = text_member(object, "raw");
        if (!bytes.data)
            bytes = decode(text_member(object, "raw_base64"), decoded);
        add_line(known, json_object_get_uint64(sequence), number_member(object, "slot"),
                 number_member(object, "count"), bytes);
    }
    json_object_put(object);
}

/* ---- The files ---- */

static enum hearth_error read_lines(struct known *known, struct view text)
{
    struct json_tokener *tokener = json_tokener_new();
    if (!tokener)
        return error_set_internal(known->error, HEARTH_NO_MEMORY, 0,
                                  "no memory to read the quarantine");
    size_t end;
    while (known->code == HEARTH_OK && (end = view_index_of(text, '\n')) != SIZE_MAX) {
        read_line(known, tokener, view_slice(text, 0, end));
        text = view_skip(text, end + 1);
    }
    json_tokener_free(tokener);
    return known->code;
}

static enum hearth_error read_file(struct known *known, const char *path)
{
    struct file_operations *files = known->files;
    struct file_status status;
    char *text = NULL;
    int file = file_open(files, path, O_RDONLY, 0, known->error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(files, file, path, &status, known->error);
    if (code == HEARTH_OK && status.size_bytes > 0) {
        size_t got = 0;
        text = memory_new((size_t)status.size_bytes);
        if (!text)
            code =
                error_set_internal(known->error, HEARTH_NO_MEMORY, 0, "no memory to read %s", path);
        else
            code = file_read_all(files, file, path, text, (size_t)status.size_bytes, 0, &got,
                                 known->error);
        if (code == HEARTH_OK)
            code = read_lines(known, view_from(text, got));
    }
    memory_free(text);
    file_close(files, file);
    return code;
}

static bool read_one(void *context, const char *name)
{
    struct known *known = context;
    uint64_t sequence;
    char path[QUARANTINE_PATH_BYTES];
    if (!quarantine_name_parse(name, &sequence))
        return true;
    quarantine_path(known->directory, sequence, path);
    known->code = read_file(known, path);
    return known->code == HEARTH_OK;
}

/* ---- All of it ---- */

static int compare_bytes(const struct quarantined_run *a, const struct quarantined_run *b)
{
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static int compare_runs(const void *left, const void *right)
{
    const struct quarantined_run *a = left, *b = right;
    int order = compare_bytes(a, b);
    if (order != 0)
        return order;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

enum hearth_error quarantine_known(struct file_operations *files, const char *store,
                                   struct quarantined_runs *runs, struct error_record *error)
{
    *runs = (struct quarantined_runs){0};
    struct known known = {.files = files, .runs = runs, .error = error};
    quarantine_directory_path(store, known.directory);
    enum hearth_error code = file_list(files, known.directory, read_one, &known, error);
    if (code == HEARTH_OK)
        code = known.code;
    if (code != HEARTH_OK)
        quarantined_runs_clean(runs);
    else if (runs->count > 1)
        qsort(runs->runs, runs->count, sizeof *runs->runs, compare_runs);
    return code;
}

bool quarantined_runs_have(const struct quarantined_runs *runs, uint64_t sequence, uint64_t slot,
                           struct view bytes)
{
    struct quarantined_run wanted = {sequence, slot, 1, (uint8_t)bytes.length, {0}};
    size_t low = 0, high = runs->count;
    memcpy(wanted.bytes, bytes.data, bytes.length);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_runs(&runs->runs[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct quarantined_run *run = low > 0 ? &runs->runs[low - 1] : NULL;
    return run && compare_bytes(run, &wanted) == 0 && slot - run->slot < run->count;
}

void quarantined_runs_clean(struct quarantined_runs *runs)
{
    memory_free(runs->runs);
    *runs = (struct quarantined_runs){0};
}
