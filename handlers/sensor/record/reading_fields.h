/*
 * reading_fields.h - what a sender says of one reading, name by name, and what it means.
 *
 * Every text dialect (JSON, InfluxDB line protocol, CSV) sorts what it finds into this table; here
 * alone it becomes a reading. Names, in brackets those that mean the same:
 *
 *   time           date and time, see time_parse.h; without an offset in the sender's zone
 *   sensor_timestamp  the same, in UTC (the rows of GET /data)
 *   channel        1 to 16, a number or its digits as text
 *   rolling_code   0 to 255 [id]
 *   temperature    in the sender's unit; temperature_F and temperature_C, in degrees, go before;
 *   rawTemp        behind it: tenths of a degree C plus 1000 (the rows of GET /data)
 *   humidity       per cent, 0 to 100, rounded to a whole number [humidity_percent]
 *   battery_ok     true, false, 1 or 0 [sensor_battery_status]; absent: ok
 *   battery_low    the opposite, where there is no battery_ok [batteryLow]
 *   signal         dB; the sign does not matter, as there is nothing above 0; 0 = unknown
 *                  [rssi, signal_dbm, signalStrength]
 *   relay, occupied  true, false, 1 or 0
 *   type, model, mic, and of our own exports series, name, time_quality  mean nothing here
 *
 * Numbers are taken as the decimal digits that came, rounded half away from zero. Of several that
 * say the same the first in this list counts, the others are ignored and counted.
 */
#ifndef HEARTH_SENSOR_READING_FIELDS_H
#define HEARTH_SENSOR_READING_FIELDS_H

#include "handlers/sensor/text/time_zone.h"
#include "hearth/auth.h"
#include "hearth/reading_store.h"

enum reading_field {
    FIELD_TIME,
    FIELD_SENSOR_TIMESTAMP,
    FIELD_CHANNEL,
    FIELD_ROLLING_CODE,
    FIELD_ID,
    FIELD_TEMPERATURE,
    FIELD_TEMPERATURE_F,
    FIELD_TEMPERATURE_C,
    FIELD_RAW_TEMP,
    FIELD_HUMIDITY,
    FIELD_BATTERY_OK,
    FIELD_BATTERY_LOW,
    FIELD_SIGNAL,
    FIELD_RSSI,
    FIELD_RELAY,
    FIELD_OCCUPIED,
    FIELD_SILENT, /* known, and not looked at */
    FIELD_COUNT   /* unknown */
};

enum value_kind {
    VALUE_ABSENT,
    VALUE_NUMBER, /* decimal digits */
    VALUE_TEXT,
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_UNTYPED, /* the format has no types: whatever the text is good for */
    VALUE_OTHER,   /* nothing that a field may be */
};

struct reading_value {
    enum value_kind kind;
    struct view text;
};

struct reading_fields {
    struct reading_value values[FIELD_COUNT];
    bool has_time_ms; /* the format itself says when; goes before FIELD_TIME */
    int64_t time_ms;  /* may be out of range */
};

struct reading_options {
    enum temperature_unit unit;   /* of a bare temperature */
    const struct time_zone *zone; /* of times without an offset; NULL = look the next two up */
    struct view time_zone;
    struct time_zones *zones;
    int64_t now_ms;        /* of readings without a time */
    bool needs_time;       /* there is no such thing as a reading without one */
    bool has_default_code; /* of readings that name none */
    int default_code;
};

/* Which of the optional fields were there? */
enum reading_has {
    HAS_TEMPERATURE = 1 << 0,
    HAS_HUMIDITY = 1 << 1,
    HAS_BATTERY = 1 << 2,
    HAS_SIGNAL = 1 << 3,
    HAS_RELAY = 1 << 4,
    HAS_OCCUPIED = 1 << 5,
};

/* A reading, or a part of one: time, channel and rolling code are there in any case. */
struct reading_part {
    struct reading reading;
    unsigned has; /* enum reading_has */
};

/* FIELD_COUNT when it means nothing. */
enum reading_field reading_field_of(struct view name);
/* The same, whatever the case ("Channel", "humidity"). */
enum reading_field reading_field_of_any_case(struct view name);

/* REJECT_NONE, or why it is no reading. Only record_encode's judgement remains. `ignored` is
 * raised. When the zone cannot be loaded, `error` is filled and its code is in `error->code`; else
 * that is HEARTH_OK. */
HEARTH_MUST_CHECK enum record_reject
reading_part_from_fields(const struct reading_fields *fields, const struct reading_options *options,
                         struct reading_part *part, uint64_t *ignored, struct error_record *error);

/* The same for a whole reading: one of temperature and humidity must be there. */
HEARTH_MUST_CHECK enum record_reject reading_from_fields(const struct reading_fields *fields,
                                                         const struct reading_options *options,
                                                         struct reading *reading, uint64_t *ignored,
                                                         struct error_record *error);

#endif
