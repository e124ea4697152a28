/*
 * series_names.h - what people call the series: names, units, places, limits, transmitters over
 * time.
 *
 *   STORE/series.json
 *
 * {"version":1,"series":[
 *   {"id":"freezer","name":"Freezer","unit":"F","place":"Cellar","stale_after_s":7200,
 *    "transmitters":[{"channel":5,"rolling_code":107,"from":"2024-01-01T00:00:00Z","to":"2025-02-01T00:00:00Z"},
 *                    {"channel":5,"rolling_code":31,"from":"2025-02-01T00:00:00Z","to":null}]}]}
 *
 * `id` is what URLs and commands use: 1 to 64 of a-z 0-9 - _, starting with a letter. A
 * transmitter's window is [from, to); null = open. A rolling code changes with the battery, and may
 * come again years later as another thermometer's: hence the windows. Windows of one series do not
 * overlap, and a transmitter belongs to one series at a time. Whatever no window claims is a series
 * of its own, with the id "5-107" (channel, rolling code), shown as new.
 *
 * The file is the truth, edited by `hearth series` (under a lock, a new file renamed over the old
 * one), watched by the readers. A loaded one never changes. Any thread.
 */
#ifndef HEARTH_SENSOR_SERIES_NAMES_H
#define HEARTH_SENSOR_SERIES_NAMES_H

#include "hearth/base.h"

enum { SERIES_PLACES = 16 * 256, SERIES_NAMED_MAX = 1024, SERIES_ID_BYTES = 65 };
#define SERIES_STALE_AFTER_MS INT64_C(7200000) /* where nothing else is said */

enum series_unit { SERIES_UNIT_DEFAULT, SERIES_UNIT_F, SERIES_UNIT_C };

struct series_window {
    int channel, rolling_code;
    int64_t from_ms, to_ms; /* 0 and INT64_MAX = open */
    uint32_t series;        /* index */
};

struct named_series {
    const char *id, *name, *place; /* UTF-8; "" = none */
    enum series_unit unit;
    int64_t stale_after_ms;
    const struct series_window *windows; /* ascending by from_ms */
    size_t window_count;
};

struct series_names;

/* From the file's content; empty content = no names. `default_stale_ms` is for series that say
 * none. NULL: CORRUPT (the detail says where and what), NO_MEMORY. */
struct series_names *series_names_parse(struct view json, int64_t default_stale_ms,
                                        struct error_record *error);
/* From STORE/series.json; no file = no names. NULL: those, IO and the like. */
struct series_names *series_names_load(const char *store, int64_t default_stale_ms,
                                       struct error_record *error);
/* References: _load and _parse give one, _keep another, _free takes one back. Any thread. */
struct series_names *series_names_keep(const struct series_names *names);
void series_names_free(struct series_names *names); /* NULL is allowed */

/* Depends on nothing but the content: the first 64 bits of its SHA-256. Part of every ETag. */
uint64_t series_names_version(const struct series_names *names);

/* Indexes: 0..named_count-1 are the named ones as in the file; named_count + place is the unnamed
 * series of a transmitter, place = (channel - 1) * 256 + rolling code. */
size_t series_names_count(const struct series_names *names); /* of named ones */
const struct named_series *series_names_get(const struct series_names *names, uint32_t index);
uint32_t series_names_find(const struct series_names *names, int channel, int rolling_code,
                           int64_t time_ms);
/* The windows of a transmitter, ascending; most have none. */
const struct series_window *series_names_windows(const struct series_names *names, int channel,
                                                 int rolling_code, size_t *count);
int64_t series_names_limit_ms(const struct series_names *names, uint32_t index);
/* By id, also "5-107". False when it is no series' id. */
bool series_names_by_id(const struct series_names *names, struct view id, uint32_t *index);
/* Its id, for unnamed ones as well. */
void series_names_id(const struct series_names *names, uint32_t index, char id[SERIES_ID_BYTES]);

/* ---- A process's current names ---- */

struct series_book; /* looks whether the file changed, at most every two seconds */

struct clock;
struct series_book *series_book_new(const char *store, int64_t default_stale_ms,
                                    const struct clock *clock);
void series_book_free(struct series_book *book);
/* A reference to the current names: free it. A file that became wrong leaves the last good names in
 * place, with a line in the log once. Never NULL, but when memory ran out. */
struct series_names *series_book_get(struct series_book *book);

#endif
