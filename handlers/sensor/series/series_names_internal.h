/*
 * series_names_internal.h - the inside of series_names.h, for the files that make and read it.
 *
 * Everything lies in one arena. `windows` stand twice: for each series in turn, ascending by time
 * (named_series.windows points in there), and for each transmitter, to find a reading's series.
 */
#ifndef HEARTH_SENSOR_SERIES_NAMES_INTERNAL_H
#define HEARTH_SENSOR_SERIES_NAMES_INTERNAL_H

#include "handlers/sensor/series/series_names.h"

#include <stdatomic.h>

enum {
    SERIES_VERSION = 1,
    SERIES_FILE_BYTES = 4 << 20, /* 1,024 series with 30 changes of battery each */
    SERIES_WINDOWS_MAX = 65536,
    SERIES_TEXT_BYTES = 200, /* of a name or a place */
    SERIES_STALE_MAX_S = 31536000,
    SERIES_WINDOW_TEXT_BYTES = 96,
    SERIES_PATH_BYTES = 2048 + 64,
};

struct series_names {
    _Atomic uint32_t references;
    struct arena *arena;
    uint64_t version;
    int64_t default_stale_ms;
    size_t count, window_count;
    struct named_series *series;
    struct series_window *windows;        /* series by series, ascending by from_ms */
    struct series_window *by_transmitter; /* ascending by place and from_ms */
    uint32_t *first; /* SERIES_PLACES + 1: where a place begins in by_transmitter */
};

/* (channel - 1) * 256 + rolling code. */
static inline uint32_t series_place(int channel, int rolling_code)
{
    return (uint32_t)(channel - 1) * 256 + (uint32_t)rolling_code;
}

/* Is it an id as a person may give one? */
bool series_id_valid(struct view id);
/* "5-107" to a place; false when it is none. */
bool series_place_parse(struct view id, uint32_t *place);
/* A name or a place: at most SERIES_TEXT_BYTES of UTF-8 without control characters. */
bool series_text_valid(struct view text);
/* A time as the file has it: RFC 3339 with an offset, or, so that people may write less, a day or a
 * time without one, which is UTC. */
bool series_time_parse(struct view text, int64_t *ms);
/* "5-107 from 2024-01-01T00:00:00Z to 2025-02-01T00:00:00Z" */
void series_window_text(const struct series_window *window, char text[SERIES_WINDOW_TEXT_BYTES]);

/* STORE/series.json; false when the name is too long. */
bool series_names_path(const char *store, char path[SERIES_PATH_BYTES]);
/* The file's content into `text`; none when there is no file. Errors: CORRUPT (larger than
 * SERIES_FILE_BYTES), IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error series_names_read_file(const char *path, struct buffer *text,
                                                           struct error_record *error);

#endif
