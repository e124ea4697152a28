/*
 * series_names_text.c - the small texts of series.json: ids, names, times, windows.
 */
#include "handlers/sensor/series/series_names_internal.h"

#include "app/core/utf8.h"
#include "handlers/sensor/text/time_parse.h"
#include "hearth/clock.h"

#include <stdio.h>

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool series_id_valid(struct view id)
{
    if (id.length == 0 || id.length >= SERIES_ID_BYTES || !is_lower(id.data[0]))
        return false;
    for (size_t i = 0; i < id.length; i++) {
        char c = id.data[i];
        if (!is_lower(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* A number as it is printed: no sign, no leading zero. */
static bool plain_number(struct view text, uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    if (text.length == 0 || (text.length > 1 && text.data[0] == '0'))
        return false;
    return view_to_uint64(text, number) && *number >= minimum && *number <= maximum;
}

bool series_place_parse(struct view id, uint32_t *place)
{
    uint64_t channel, code;
    struct view rest = id;
    struct view before = view_split(&rest, '-');
    if (!plain_number(before, 1, 16, &channel) || !plain_number(rest, 0, 255, &code))
        return false;
    *place = series_place((int)channel, (int)code);
    return true;
}

/* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F. */
static bool is_control(struct view character)
{
    unsigned char first = (unsigned char)character.data[0];
    if (character.length == 2)
        return first == 0xc2 && (unsigned char)character.data[1] < 0xa0;
    return character.length == 1 && (first < 0x20 || first == 0x7f);
}

bool series_text_valid(struct view text)
{
    if (text.length > SERIES_TEXT_BYTES)
        return false;
    while (text.length > 0) {
        bool valid;
        size_t length = utf8_next(text, &valid);
        if (!valid || is_control(view_slice(text, 0, length)))
            return false;
        text = view_skip(text, length);
    }
    return true;
}

bool series_time_parse(struct view text, int64_t *ms)
{
    enum { DAY_LENGTH = sizeof "2024-01-01" - 1 };
    struct parsed_time time;
    char whole[DAY_LENGTH + sizeof "T00:00:00Z"];
    if (text.length == DAY_LENGTH) {
        snprintf(whole, sizeof whole, "%.*sT00:00:00Z", VIEW_ARGUMENTS(text));
        text = view_of(whole);
    }
    if (!time_parse(text, &time))
        return false;
    *ms = time.ms;
    return true;
}

/* To the second where that is all; "always" and "now on" where the window is open. */
static void edge_text(int64_t ms, const char *open, char text[CLOCK_RFC3339_SIZE])
{
    if (ms <= 0 || ms == INT64_MAX) {
        snprintf(text, CLOCK_RFC3339_SIZE, "%s", open);
        return;
    }
    clock_format_rfc3339(ms, text);
    if (ms % 1000 == 0)
        snprintf(text + sizeof "2024-01-01T00:00:00" - 1, sizeof "Z", "Z");
}

void series_window_text(const struct series_window *window, char text[SERIES_WINDOW_TEXT_BYTES])
{
    char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
    edge_text(window->from_ms, "the beginning", from);
    edge_text(window->to_ms, "now on", to);
    snprintf(text, SERIES_WINDOW_TEXT_BYTES, "%d-%d from %s to %s", window->channel,
             window->rolling_code, from, to);
}

bool series_names_path(const char *store, char path[SERIES_PATH_BYTES])
{
    int length = snprintf(path, SERIES_PATH_BYTES, "%s/series.json", store);
    return length > 0 && length < SERIES_PATH_BYTES;
}
