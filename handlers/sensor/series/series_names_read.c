/*
 * series_names_read.c - from the text of series.json to loaded names, and all its rules.
 *
 * The whole file is refused when anything in it is wrong: half the names would move readings from
 * one series to another without a word, while the reader still has the last good names. Members
 * that are not known are passed over.
 */
#include "handlers/sensor/series/series_names_internal.h"

#include "handlers/sensor/disk/file_operations.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH = 16, ARENA_BYTES = 32 << 20 };

/* What is being read, for the messages. */
struct reading_names {
    struct series_names *names;
    struct error_record *error;
    size_t series; /* its number in the file, from 0 */
};

static struct series_names *out_of_memory(struct error_record *error)
{
    error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the names of the series");
    return NULL;
}

/* ---- Members ---- */

/* NULL when it is missing or null. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    return json_object_object_get_ex(object, name, &found) ? found : NULL;
}

static struct view text_of(struct json_object *object)
{
    if (!json_object_is_type(object, json_type_string))
        return VIEW_NONE;
    return view_from(json_object_get_string(object), (size_t)json_object_get_string_len(object));
}

/* An integer member within the bounds. */
static bool integer_of(struct json_object *object, int64_t minimum, int64_t maximum,
                       int64_t *number)
{
    if (!json_object_is_type(object, json_type_int))
        return false;
    *number = json_object_get_int64(object);
    return *number >= minimum && *number <= maximum;
}

/* Of a series: which one it is, and what is wrong with it. */
static enum hearth_error wrong(const struct reading_names *reading, const char *what)
{
    const char *id = reading->names->series[reading->series].id;
    return error_set_internal(reading->error, HEARTH_CORRUPT, 0, "series %zu%s%s%s: %s",
                              reading->series + 1, id ? " (" : "", id ? id : "", id ? ")" : "",
                              what);
}

static enum hearth_error wrong_transmitter(const struct reading_names *reading, size_t index,
                                           const char *what)
{
    return error_set_internal(reading->error, HEARTH_CORRUPT, 0,
                              "series %zu (%s), transmitter %zu: %s", reading->series + 1,
                              reading->names->series[reading->series].id, index + 1, what);
}

/* ---- Transmitters ---- */

/* An edge of a window; null and missing leave `*ms`. */
static bool edge_of(struct json_object *object, int64_t *ms)
{
    if (!object)
        return true;
    if (!json_object_is_type(object, json_type_string) || !series_time_parse(text_of(object), ms))
        return false;
    *ms = *ms < 0 ? 0 : *ms;
    return true;
}

static enum hearth_error read_window(const struct reading_names *reading,
                                     struct json_object *object, size_t index,
                                     struct series_window *window)
{
    int64_t channel, code;
    *window = (struct series_window){.to_ms = INT64_MAX, .series = (uint32_t)reading->series};
    if (!json_object_is_type(object, json_type_object))
        return wrong_transmitter(reading, index, "is not an object");
    if (!integer_of(member(object, "channel"), 1, 16, &channel))
        return wrong_transmitter(reading, index, "channel must be an integer, 1 to 16");
    if (!integer_of(member(object, "rolling_code"), 0, 255, &code))
        return wrong_transmitter(reading, index, "rolling_code must be an integer, 0 to 255");
    if (!edge_of(member(object, "from"), &window->from_ms))
        return wrong_transmitter(reading, index,
                                 "from must be a time like 2025-09-14T18:04:51Z, or null");
    if (!edge_of(member(object, "to"), &window->to_ms))
        return wrong_transmitter(reading, index,
                                 "to must be a time like 2025-09-14T18:04:51Z, or null");
    if (window->from_ms >= window->to_ms)
        return wrong_transmitter(reading, index, "from must be before to");
    window->channel = (int)channel;
    window->rolling_code = (int)code;
    return HEARTH_OK;
}

static int by_from(const void *left, const void *right)
{
    const struct series_window *a = left, *b = right;
    return (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
}

static int by_place(const void *left, const void *right)
{
    const struct series_window *a = left, *b = right;
    uint32_t place_a = series_place(a->channel, a->rolling_code);
    uint32_t place_b = series_place(b->channel, b->rolling_code);
    return place_a == place_b ? by_from(a, b) : (place_a > place_b) - (place_a < place_b);
}

static enum hearth_error overlap(const struct reading_names *reading, const struct series_window *a,
                                 const struct series_window *b)
{
    const struct named_series *series = reading->names->series;
    char first[SERIES_WINDOW_TEXT_BYTES], second[SERIES_WINDOW_TEXT_BYTES];
    series_window_text(a, first);
    series_window_text(b, second);
    return error_set_internal(reading->error, HEARTH_CORRUPT, 0, "%s (%s) and %s (%s) overlap",
                              series[a->series].id, first, series[b->series].id, second);
}

static enum hearth_error check_apart(const struct reading_names *reading,
                                     const struct series_window *windows, size_t count,
                                     bool same_place)
{
    for (size_t i = 1; i < count; i++) {
        const struct series_window *a = &windows[i - 1], *b = &windows[i];
        bool related = !same_place || series_place(a->channel, a->rolling_code) ==
                                          series_place(b->channel, b->rolling_code);
        if (related && a->to_ms > b->from_ms)
            return overlap(reading, a, b);
    }
    return HEARTH_OK;
}

static enum hearth_error read_transmitters(const struct reading_names *reading,
                                           struct json_object *array, struct named_series *series)
{
    struct series_names *names = reading->names;
    struct series_window *windows = names->windows + names->window_count;
    enum hearth_error code = HEARTH_OK;
    if (array && !json_object_is_type(array, json_type_array))
        return wrong(reading, "transmitters must be an array");
    size_t count = array ? json_object_array_length(array) : 0;
    for (size_t i = 0; code == HEARTH_OK && i < count; i++)
        code = read_window(reading, json_object_array_get_idx(array, i), i, &windows[i]);
    if (code != HEARTH_OK)
        return code;
    if (count > 1)
        qsort(windows, count, sizeof *windows, by_from);
    series->windows = windows;
    series->window_count = count;
    names->window_count += count;
    return check_apart(reading, windows, count, false);
}

/* ---- One series ---- */

static enum hearth_error read_text(const struct reading_names *reading, struct json_object *object,
                                   const char *what, const char **text)
{
    struct view view = text_of(object);
    if (object && (!view.data || !series_text_valid(view)))
        return wrong(reading, what);
    struct view copy = arena_copy(reading->names->arena, view);
    *text = copy.data;
    return copy.data ? HEARTH_OK
                     : error_set_internal(reading->error, HEARTH_NO_MEMORY, ENOMEM,
                                          "no memory for the names of the series");
}

static enum hearth_error read_id(const struct reading_names *reading, struct json_object *object,
                                 struct named_series *series)
{
    struct view id = text_of(object);
    if (!series_id_valid(id))
        return wrong(reading, "id must be 1 to 64 of a-z 0-9 - _, starting with a letter");
    struct view copy = arena_copy(reading->names->arena, id);
    if (!copy.data)
        return error_set_internal(reading->error, HEARTH_NO_MEMORY, ENOMEM,
                                  "no memory for the names of the series");
    for (size_t i = 0; i < reading->series; i++) {
        if (view_equal(view_of(reading->names->series[i].id), id))
            return error_set_internal(reading->error, HEARTH_CORRUPT, 0,
                                      "series %zu and %zu both have the id %s", i + 1,
                                      reading->series + 1, copy.data);
    }
    series->id = copy.data;
    return HEARTH_OK;
}

static enum hearth_error read_meaning(const struct reading_names *reading,
                                      struct json_object *object, struct named_series *series)
{
    struct json_object *unit = member(object, "unit"), *stale = member(object, "stale_after_s");
    int64_t seconds;
    if (unit && view_equal(text_of(unit), VIEW("F")))
        series->unit = SERIES_UNIT_F;
    else if (unit && view_equal(text_of(unit), VIEW("C")))
        series->unit = SERIES_UNIT_C;
    else if (unit)
        return wrong(reading, "unit must be \"F\", \"C\" or null");
    series->stale_after_ms = reading->names->default_stale_ms;
    if (!stale)
        return HEARTH_OK;
    if (!integer_of(stale, 1, SERIES_STALE_MAX_S, &seconds))
        return wrong(reading, "stale_after_s must be an integer, 1 to 31536000, or null");
    series->stale_after_ms = seconds * 1000;
    return HEARTH_OK;
}

static enum hearth_error read_series(const struct reading_names *reading,
                                     struct json_object *object)
{
    struct named_series *series = &reading->names->series[reading->series];
    if (!json_object_is_type(object, json_type_object))
        return wrong(reading, "is not an object");
    enum hearth_error code = read_id(reading, member(object, "id"), series);
    if (code == HEARTH_OK)
        code = read_text(reading, member(object, "name"),
                         "name must be at most 200 bytes of text without control characters",
                         &series->name);
    if (code == HEARTH_OK)
        code = read_text(reading, member(object, "place"),
                         "place must be at most 200 bytes of text without control characters",
                         &series->place);
    if (code == HEARTH_OK)
        code = read_meaning(reading, object, series);
    return code == HEARTH_OK ? read_transmitters(reading, member(object, "transmitters"), series)
                             : code;
}

/* ---- The whole ---- */

/* Of all series; what is no array is found when its series is read. */
static size_t count_windows(struct json_object *list)
{
    size_t count = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *array = member(json_object_array_get_idx(list, i), "transmitters");
        if (json_object_is_type(array, json_type_array))
            count += json_object_array_length(array);
    }
    return count;
}

static bool allocate(struct series_names *names, size_t series, size_t windows)
{
    names->series = arena_array(names->arena, series, sizeof *names->series);
    names->windows = arena_array(names->arena, windows, sizeof *names->windows);
    names->by_transmitter = arena_array(names->arena, windows, sizeof *names->by_transmitter);
    names->first = arena_array(names->arena, SERIES_PLACES + 1, sizeof *names->first);
    return names->series && names->windows && names->by_transmitter && names->first;
}

static enum hearth_error order_by_transmitter(const struct reading_names *reading)
{
    struct series_names *names = reading->names;
    size_t at = 0;
    if (names->window_count > 0)
        memcpy(names->by_transmitter, names->windows,
               names->window_count * sizeof *names->by_transmitter);
    if (names->window_count > 1)
        qsort(names->by_transmitter, names->window_count, sizeof *names->by_transmitter, by_place);
    for (uint32_t place = 0; place <= SERIES_PLACES; place++) {
        while (at < names->window_count &&
               series_place(names->by_transmitter[at].channel,
                            names->by_transmitter[at].rolling_code) < place)
            at++;
        names->first[place] = (uint32_t)at;
    }
    return check_apart(reading, names->by_transmitter, names->window_count, true);
}

static enum hearth_error read_list(struct series_names *names, struct json_object *list,
                                   struct error_record *error)
{
    struct reading_names reading = {.names = names, .error = error};
    size_t count = list ? json_object_array_length(list) : 0;
    size_t windows = list ? count_windows(list) : 0;
    enum hearth_error code = HEARTH_OK;
    if (count > SERIES_NAMED_MAX || windows > SERIES_WINDOWS_MAX)
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "%zu series with %zu transmitters; at most %d and %d", count,
                                  windows, SERIES_NAMED_MAX, SERIES_WINDOWS_MAX);
    if (!allocate(names, count, windows))
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM,
                                  "no memory for the names of the series");
    for (; code == HEARTH_OK && reading.series < count; reading.series++)
        code = read_series(&reading, json_object_array_get_idx(list, reading.series));
    names->count = count;
    return code == HEARTH_OK ? order_by_transmitter(&reading) : code;
}

static enum hearth_error read_root(struct series_names *names, struct json_object *root,
                                   struct error_record *error)
{
    struct json_object *list = member(root, "series");
    int64_t version;
    if (!integer_of(member(root, "version"), SERIES_VERSION, SERIES_VERSION, &version))
        return error_set_internal(error, HEARTH_CORRUPT, 0, "version must be %d", SERIES_VERSION);
    if (list && !json_object_is_type(list, json_type_array))
        return error_set_internal(error, HEARTH_CORRUPT, 0, "series must be an array");
    return read_list(names, list, error);
}

static enum hearth_error parse_json(struct view json, struct json_object **root,
                                    struct error_record *error)
{
    if (json.length > SERIES_FILE_BYTES)
        return error_set_internal(error, HEARTH_CORRUPT, 0, "larger than %d bytes",
                                  SERIES_FILE_BYTES);
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    if (!tokener)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read JSON");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *root = json_tokener_parse_ex(tokener, json.data, (int)json.length);
    enum json_tokener_error outcome = json_tokener_get_error(tokener);
    size_t place = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (outcome == json_tokener_success && json_object_is_type(*root, json_type_object))
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_CORRUPT, 0, "not a JSON object, at byte %zu: %s", place,
                              outcome == json_tokener_success ? "it is something else"
                              : outcome == json_tokener_continue
                                  ? "it ends too early"
                                  : json_tokener_error_desc(outcome));
}

static bool make_version(struct view json, uint64_t *version)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(json.data ? json.data : "", json.length, hash, &length, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < sizeof *version; i++)
        *version = *version << 8 | hash[i];
    return true;
}

static struct series_names *make_names(struct view json, int64_t default_stale_ms)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct series_names *names = arena ? arena_alloc_zero(arena, sizeof *names) : NULL;
    if (!names || !make_version(json, &names->version)) {
        arena_free(arena);
        return NULL;
    }
    names->arena = arena;
    names->default_stale_ms = default_stale_ms;
    atomic_init(&names->references, 1);
    return names;
}

struct series_names *series_names_parse(struct view json, int64_t default_stale_ms,
                                        struct error_record *error)
{
    struct json_object *root = NULL;
    struct series_names *names = make_names(json, default_stale_ms);
    enum hearth_error code;
    if (!names)
        return out_of_memory(error);
    if (json.length == 0)
        code = read_list(names, NULL, error);
    else
        code = parse_json(json, &root, error);
    if (code == HEARTH_OK && root)
        code = read_root(names, root, error);
    json_object_put(root);
    if (code == HEARTH_OK)
        return names;
    series_names_free(names);
    return NULL;
}

/* ---- The file ---- */

static enum hearth_error read_open_file(int file, const char *path, struct buffer *text,
                                        struct error_record *error)
{
    struct file_status status;
    size_t got = 0;
    enum hearth_error code = file_status_of(&file_system, file, path, &status, error);
    if (code != HEARTH_OK)
        return code;
    if (status.size_bytes > SERIES_FILE_BYTES)
        return error_set_internal(error, HEARTH_CORRUPT, 0, "%s: larger than %d bytes", path,
                                  SERIES_FILE_BYTES);
    char *place = buffer_reserve(text, (size_t)status.size_bytes + 1);
    if (!place)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read %s", path);
    code =
        file_read_all(&file_system, file, path, place, (size_t)status.size_bytes, 0, &got, error);
    text->length += got;
    return code;
}

enum hearth_error series_names_read_file(const char *path, struct buffer *text,
                                         struct error_record *error)
{
    struct error_record inner = {0};
    int file = file_open(&file_system, path, O_RDONLY | O_NONBLOCK, 0, &inner);
    if (file < 0 && inner.code == HEARTH_NOT_FOUND)
        return HEARTH_OK;
    if (file < 0)
        return error_set_internal(error, inner.code, inner.number, "%s", inner.detail);
    enum hearth_error code = read_open_file(file, path, text, error);
    file_close(&file_system, file);
    return code;
}

struct series_names *series_names_load(const char *store, int64_t default_stale_ms,
                                       struct error_record *error)
{
    char path[SERIES_PATH_BYTES];
    struct error_record inner = {0};
    struct series_names *names = NULL;
    struct buffer text;
    if (!series_names_path(store, path)) {
        error_set_internal(error, HEARTH_IO, ENAMETOOLONG, "the store's name is too long");
        return NULL;
    }
    buffer_init(&text, SERIES_FILE_BYTES + 1);
    if (series_names_read_file(path, &text, error) == HEARTH_OK) {
        names = series_names_parse(buffer_view(&text), default_stale_ms, &inner);
        if (!names)
            error_set_internal(error, inner.code, inner.number, "%s: %s", path, inner.detail);
    }
    buffer_clean(&text);
    return names;
}
