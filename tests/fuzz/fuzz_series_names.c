/*
 * fuzz_series_names.c - any bytes as series.json.
 *
 * What is taken keeps its promises: windows ascend and lie apart, each reading has one series, ids
 * lead to indexes and back. What is refused says why.
 */
#include "handlers/sensor/series/series_names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_windows(const struct series_names *names, const struct named_series *series,
                          uint32_t index)
{
    for (size_t i = 0; i < series->window_count; i++) {
        const struct series_window *window = &series->windows[i];
        must(window->series == index && window->from_ms >= 0 && window->from_ms < window->to_ms);
        must(window->channel >= 1 && window->channel <= 16);
        must(window->rolling_code >= 0 && window->rolling_code <= 255);
        must(i == 0 || series->windows[i - 1].to_ms <= window->from_ms);
        must(series_names_find(names, window->channel, window->rolling_code, window->from_ms) ==
             index);
        must(series_names_find(names, window->channel, window->rolling_code, window->to_ms - 1) ==
             index);
    }
}

static void check_series(const struct series_names *names)
{
    size_t count = series_names_count(names);
    for (uint32_t index = 0; index < count; index++) {
        char id[SERIES_ID_BYTES];
        uint32_t found;
        const struct named_series *series = series_names_get(names, index);
        series_names_id(names, index, id);
        must(strcmp(id, series->id) == 0);
        must(series_names_by_id(names, view_of(id), &found) && found == index);
        must(series->name && series->place && series->stale_after_ms > 0);
        check_windows(names, series, index);
    }
}

static void check_places(const struct series_names *names)
{
    for (int channel = 1; channel <= 16; channel++) {
        for (int code = 0; code <= 255; code++) {
            size_t count;
            const struct series_window *windows =
                series_names_windows(names, channel, code, &count);
            for (size_t i = 1; i < count; i++)
                must(windows[i - 1].to_ms <= windows[i].from_ms);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error_record error = {0};
    struct series_names *names =
        series_names_parse(view_from((const char *)data, size), 1000, &error);
    if (names) {
        check_series(names);
        check_places(names);
    } else {
        must(error.code == HEARTH_CORRUPT && error.detail[0] != '\0');
    }
    series_names_free(names);
    return 0;
}
