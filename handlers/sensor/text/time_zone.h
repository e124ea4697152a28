/*
 * time_zone.h - local time in any IANA zone, without the process-wide TZ.
 *
 * A zone is read from its TZif file (RFC 8536) once and never changes; any thread may use it. Leap
 * seconds are not counted: a file that has them (the "right/" zones) is refused.
 */
#ifndef HEARTH_SENSOR_TIME_ZONE_H
#define HEARTH_SENSOR_TIME_ZONE_H

#include "hearth/base.h"

#define TIME_ZONE_DIRECTORY "/usr/share/zoneinfo"

struct time_zone;

/* From the content of a TZif file. NULL when it is malformed (CORRUPT) or memory ran out
 * (NO_MEMORY); `error` (may be NULL) says what. */
struct time_zone *time_zone_parse(struct view tzif, struct error_record *error);
/* From DIRECTORY/NAME; "UTC" needs no file. A name that could leave the directory is BAD_REQUEST,
 * one that is not there NOT_FOUND. */
struct time_zone *time_zone_load(const char *directory, struct view name,
                                 struct error_record *error);
void time_zone_free(struct time_zone *zone); /* NULL is allowed */

/* Seconds east of Greenwich at a moment of UTC. */
int time_zone_offset_s(const struct time_zone *zone, int64_t utc_s);
/* The first moment after `utc_s` at which something may change; INT64_MAX when nothing does. */
int64_t time_zone_next_change_s(const struct time_zone *zone, int64_t utc_s);

/* Local time (as if it were UTC) to UTC, as RFC 5545 section 3.3.5 has it: a local time that comes
 * twice, when clocks go back, is its first occurrence; one that is skipped, when they go forward,
 * is counted with the offset before the gap. */
int64_t time_zone_to_utc_ms(const struct time_zone *zone, int64_t local_ms);
int64_t time_zone_to_local_ms(const struct time_zone *zone, int64_t utc_ms);

/* ---- The zones of one process: each is loaded at its first use and kept ---- */

struct time_zones;

/* `directory` must outlive it. NULL when memory ran out. */
struct time_zones *time_zones_new(const char *directory);
void time_zones_free(struct time_zones *zones);
/* Any thread; the zone lives as long as `zones`. NULL as for time_zone_load. */
const struct time_zone *time_zones_find(struct time_zones *zones, struct view name,
                                        struct error_record *error);

#endif
