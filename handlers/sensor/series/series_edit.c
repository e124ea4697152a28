/*
 * series_edit.c - changes of series.json, made in its JSON tree.
 *
 * The tree is what is changed, so that members that are not known stay where they are. The rules of
 * the file are not repeated here: what comes out is read as any reader would read it before it is
 * written (series_edit_save.c).
 */
#include "handlers/sensor/series/series_edit_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for series.json");
}

/* ---- Finding ---- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    return json_object_object_get_ex(object, name, &found) ? found : NULL;
}

static struct json_object *series_list(const struct series_edit *edit)
{
    return member(edit->root, "series");
}

/* Its index; SIZE_MAX when there is none. The file was read without a complaint, so that all its
 * types are right. */
static size_t index_of(const struct series_edit *edit, const char *id)
{
    struct json_object *list = series_list(edit);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *own = member(json_object_array_get_idx(list, i), "id");
        if (own && strcmp(json_object_get_string(own), id) == 0)
            return i;
    }
    return SIZE_MAX;
}

static struct json_object *find(const struct series_edit *edit, const char *id,
                                struct error_record *error)
{
    size_t index = index_of(edit, id);
    if (index != SIZE_MAX)
        return json_object_array_get_idx(series_list(edit), index);
    error_set(error, HEARTH_NOT_FOUND, "there is no series %s", id);
    return NULL;
}

/* ---- Members ---- */

/* Takes `value` over; NULL is JSON's null. */
static enum hearth_error set(struct json_object *object, const char *name,
                             struct json_object *value, struct error_record *error)
{
    if (json_object_object_add(object, name, value) == 0)
        return HEARTH_OK;
    json_object_put(value);
    return no_memory(error);
}

static enum hearth_error set_text(struct json_object *object, const char *name, const char *text,
                                  struct error_record *error)
{
    struct json_object *value = json_object_new_string(text);
    return value ? set(object, name, value, error) : no_memory(error);
}

static enum hearth_error set_number(struct json_object *object, const char *name, int64_t number,
                                    struct error_record *error)
{
    struct json_object *value = json_object_new_int64(number);
    return value ? set(object, name, value, error) : no_memory(error);
}

/* An edge of a window, null where it is open. */
static enum hearth_error set_time(struct json_object *object, const char *name, int64_t ms,
                                  struct error_record *error)
{
    char text[CLOCK_RFC3339_SIZE];
    if (ms <= 0 || ms == INT64_MAX)
        return set(object, name, NULL, error);
    clock_format_rfc3339(ms, text);
    if (ms % 1000 == 0)
        snprintf(text + sizeof "2024-01-01T00:00:00" - 1, sizeof "Z", "Z");
    return set_text(object, name, text, error);
}

/* The end of an array takes `value` over. */
static enum hearth_error append(struct json_object *array, struct json_object *value,
                                struct error_record *error)
{
    if (json_object_array_add(array, value) == 0)
        return HEARTH_OK;
    json_object_put(value);
    return no_memory(error);
}

/* An array member; made when it is missing. */
static struct json_object *array_member(struct json_object *object, const char *name,
                                        struct error_record *error)
{
    struct json_object *array = member(object, name);
    if (array)
        return array;
    array = json_object_new_array();
    if (array && set(object, name, array, error) == HEARTH_OK)
        return array;
    if (!array)
        no_memory(error);
    return NULL;
}

/* ---- Series ---- */

enum hearth_error series_edit_add(struct series_edit *edit, const char *id,
                                  struct error_record *error)
{
    if (!series_id_valid(view_of(id)))
        return error_set(error, HEARTH_BAD_REQUEST,
                         "the id of a series is 1 to 64 of a-z 0-9 - _, starting with a letter");
    if (index_of(edit, id) != SIZE_MAX)
        return error_set(error, HEARTH_CONFLICT, "there is a series %s already", id);
    struct json_object *list = array_member(edit->root, "series", error);
    struct json_object *series = list ? json_object_new_object() : NULL;
    if (!series)
        return no_memory(error);
    enum hearth_error code = set_text(series, "id", id, error);
    if (code == HEARTH_OK)
        code = set_text(series, "name", "", error);
    if (code == HEARTH_OK && !array_member(series, "transmitters", error))
        code = HEARTH_NO_MEMORY;
    if (code == HEARTH_OK)
        return append(list, series, error);
    json_object_put(series);
    return code;
}

static enum hearth_error change_text(struct series_edit *edit, const char *id, const char *name,
                                     const char *text, struct error_record *error)
{
    struct json_object *series = find(edit, id, error);
    if (!series)
        return HEARTH_NOT_FOUND;
    if (!series_text_valid(view_of(text)))
        return error_set(error, HEARTH_BAD_REQUEST,
                         "a %s is at most %d bytes of text without control characters", name,
                         SERIES_TEXT_BYTES);
    return set_text(series, name, text, error);
}

enum hearth_error series_edit_name(struct series_edit *edit, const char *id, const char *name,
                                   struct error_record *error)
{
    return change_text(edit, id, "name", name, error);
}

enum hearth_error series_edit_place(struct series_edit *edit, const char *id, const char *place,
                                    struct error_record *error)
{
    return change_text(edit, id, "place", place, error);
}

enum hearth_error series_edit_unit(struct series_edit *edit, const char *id, enum series_unit unit,
                                   struct error_record *error)
{
    struct json_object *series = find(edit, id, error);
    if (!series)
        return HEARTH_NOT_FOUND;
    if (unit == SERIES_UNIT_DEFAULT)
        return set(series, "unit", NULL, error);
    return set_text(series, "unit", unit == SERIES_UNIT_C ? "C" : "F", error);
}

enum hearth_error series_edit_limit(struct series_edit *edit, const char *id, int64_t seconds,
                                    struct error_record *error)
{
    struct json_object *series = find(edit, id, error);
    if (!series)
        return HEARTH_NOT_FOUND;
    if (seconds < 0 || seconds > SERIES_STALE_MAX_S)
        return error_set(error, HEARTH_BAD_REQUEST, "a staleness limit is 1 s to a year");
    return seconds == 0 ? set(series, "stale_after_s", NULL, error)
                        : set_number(series, "stale_after_s", seconds, error);
}

enum hearth_error series_edit_forget(struct series_edit *edit, const char *id,
                                     struct error_record *error)
{
    size_t index = index_of(edit, id);
    if (index == SIZE_MAX)
        return error_set(error, HEARTH_NOT_FOUND, "there is no series %s", id);
    return json_object_array_del_idx(series_list(edit), index, 1) == 0 ? HEARTH_OK
                                                                       : no_memory(error);
}

/* ---- Transmitters ---- */

/* `open` where the edge is missing or null. */
static int64_t edge(struct json_object *transmitter, const char *name, int64_t open)
{
    struct json_object *text = member(transmitter, name);
    int64_t ms = open;
    if (text && !series_time_parse(view_of(json_object_get_string(text)), &ms))
        return open;
    return ms;
}

static struct json_object *make_transmitter(const struct series_window *window,
                                            struct error_record *error)
{
    struct json_object *made = json_object_new_object();
    enum hearth_error code = made ? HEARTH_OK : no_memory(error);
    if (code == HEARTH_OK)
        code = set_number(made, "channel", window->channel, error);
    if (code == HEARTH_OK)
        code = set_number(made, "rolling_code", window->rolling_code, error);
    if (code == HEARTH_OK)
        code = set_time(made, "from", window->from_ms, error);
    if (code == HEARTH_OK)
        code = set_time(made, "to", window->to_ms, error);
    if (code == HEARTH_OK)
        return made;
    json_object_put(made);
    return NULL;
}

/* A change of battery: what was open before ends where the new one begins. */
static enum hearth_error close_open(struct json_object *transmitters, int64_t from_ms,
                                    struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < json_object_array_length(transmitters); i++) {
        struct json_object *one = json_object_array_get_idx(transmitters, i);
        if (edge(one, "to", INT64_MAX) == INT64_MAX && edge(one, "from", 0) < from_ms)
            code = set_time(one, "to", from_ms, error);
    }
    return code;
}

enum hearth_error series_edit_alias(struct series_edit *edit, const char *id,
                                    const struct series_window *window, struct error_record *error)
{
    struct json_object *series = find(edit, id, error);
    enum hearth_error code = HEARTH_OK;
    if (!series)
        return HEARTH_NOT_FOUND;
    if (window->from_ms >= window->to_ms)
        return error_set(error, HEARTH_BAD_REQUEST, "the time from must be before the time to");
    struct json_object *transmitters = array_member(series, "transmitters", error);
    if (!transmitters)
        return HEARTH_NO_MEMORY;
    if (window->to_ms == INT64_MAX)
        code = close_open(transmitters, window->from_ms, error);
    if (code != HEARTH_OK)
        return code;
    struct json_object *made = make_transmitter(window, error);
    return made ? append(transmitters, made, error) : HEARTH_NO_MEMORY;
}

static bool is_transmitter(struct json_object *transmitter, int channel, int rolling_code,
                           int64_t from_ms)
{
    return json_object_get_int(member(transmitter, "channel")) == channel &&
           json_object_get_int(member(transmitter, "rolling_code")) == rolling_code &&
           (from_ms < 0 || edge(transmitter, "from", 0) == from_ms);
}

enum hearth_error series_edit_unalias(struct series_edit *edit, const char *id, int channel,
                                      int rolling_code, int64_t from_ms, struct error_record *error)
{
    struct json_object *series = find(edit, id, error);
    size_t found = SIZE_MAX, count = 0;
    if (!series)
        return HEARTH_NOT_FOUND;
    struct json_object *transmitters = member(series, "transmitters");
    size_t length = transmitters ? json_object_array_length(transmitters) : 0;
    for (size_t i = 0; i < length; i++) {
        struct json_object *one = json_object_array_get_idx(transmitters, i);
        if (!is_transmitter(one, channel, rolling_code, from_ms))
            continue;
        found = i;
        count++;
    }
    if (count == 0)
        return error_set(error, HEARTH_NOT_FOUND, "%s has no such window of %d-%d", id, channel,
                         rolling_code);
    if (count > 1)
        return error_set(error, HEARTH_CONFLICT,
                         "%s has %zu windows of %d-%d: say which by the time it begins", id, count,
                         channel, rolling_code);
    return json_object_array_del_idx(transmitters, found, 1) == 0 ? HEARTH_OK : no_memory(error);
}
