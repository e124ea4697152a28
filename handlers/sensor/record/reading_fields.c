/*
 * reading_fields.c - what a sender says of one reading, and what it means.
 *
 * The fields are taken one after the other, so that neither their order nor what stood between them
 * matters. A value knows what its format said of it (a number, a text, nothing at all), and each
 * field says which of these it can be.
 */
#include "handlers/sensor/record/reading_fields.h"

#include "handlers/sensor/text/decimal.h"
#include "handlers/sensor/text/time_parse.h"

/* ---- Names ---- */

/* The shorter before the longer: a look-up ends at the first that is too long. */
static const struct {
    struct view name;
    enum reading_field field;
} names[] = {
    {{"id", 2}, FIELD_ID},
    {{"mic", 3}, FIELD_SILENT},
    {{"time", 4}, FIELD_TIME},
    {{"rssi", 4}, FIELD_RSSI},
    {{"type", 4}, FIELD_SILENT},
    {{"name", 4}, FIELD_SILENT},
    {{"relay", 5}, FIELD_RELAY},
    {{"model", 5}, FIELD_SILENT},
    {{"signal", 6}, FIELD_SIGNAL},
    {{"series", 6}, FIELD_SILENT},
    {{"channel", 7}, FIELD_CHANNEL},
    {{"rawTemp", 7}, FIELD_RAW_TEMP},
    {{"humidity", 8}, FIELD_HUMIDITY},
    {{"occupied", 8}, FIELD_OCCUPIED},
    {{"battery_ok", 10}, FIELD_BATTERY_OK},
    {{"batteryLow", 10}, FIELD_BATTERY_LOW},
    {{"signal_dbm", 10}, FIELD_SIGNAL},
    {{"temperature", 11}, FIELD_TEMPERATURE},
    {{"battery_low", 11}, FIELD_BATTERY_LOW},
    {{"rolling_code", 12}, FIELD_ROLLING_CODE},
    {{"time_quality", 12}, FIELD_SILENT},
    {{"temperature_F", 13}, FIELD_TEMPERATURE_F},
    {{"temperature_C", 13}, FIELD_TEMPERATURE_C},
    {{"signalStrength", 14}, FIELD_SIGNAL},
    {{"sensor_timestamp", 16}, FIELD_SENSOR_TIMESTAMP},
    {{"humidity_percent", 16}, FIELD_HUMIDITY},
    {{"sensor_battery_status", 21}, FIELD_BATTERY_OK},
};

typedef bool view_compare_fn(struct view a, struct view b);

static enum reading_field find_field(struct view name, view_compare_fn *equal)
{
    const size_t count = sizeof names / sizeof names[0];
    size_t i = 0;
    while (i < count && names[i].name.length < name.length)
        i++;
    for (; i < count && names[i].name.length == name.length; i++)
        if (equal(names[i].name, name))
            return names[i].field;
    return FIELD_COUNT;
}

enum reading_field reading_field_of(struct view name)
{
    return find_field(name, view_equal);
}

enum reading_field reading_field_of_any_case(struct view name)
{
    return find_field(name, view_equal_ignore_case);
}

/* ---- Values ---- */

/* The first that is there; the others count as ignored. */
static const struct reading_value *choose(const struct reading_fields *fields,
                                          const enum reading_field *choices, size_t count,
                                          enum reading_field *chosen, uint64_t *ignored)
{
    const struct reading_value *value = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct reading_value *candidate = &fields->values[choices[i]];
        if (candidate->kind == VALUE_ABSENT)
            continue;
        if (value) {
            ++*ignored;
            continue;
        }
        value = candidate;
        *chosen = choices[i];
    }
    return value;
}

static bool is_number(const struct reading_value *value)
{
    return value->kind == VALUE_NUMBER || value->kind == VALUE_UNTYPED;
}

/* A number times 10^places, rounded. */
static enum record_reject take_number(const struct reading_value *value, int places,
                                      int64_t *number)
{
    return is_number(value) && decimal_round(value->text, places, number) ? REJECT_NONE
                                                                          : REJECT_WRONG_TYPE;
}

static enum record_reject take_whole(const struct reading_value *value, int64_t *number)
{
    return is_number(value) && decimal_whole(value->text, number) ? REJECT_NONE : REJECT_WRONG_TYPE;
}

/* Of a format without types. */
static bool is_word(const struct reading_value *value, const char *letter, const char *word)
{
    return value->kind == VALUE_UNTYPED && (view_equal_ignore_case(value->text, view_of(letter)) ||
                                            view_equal_ignore_case(value->text, view_of(word)));
}

/* What is absent leaves `flag` alone. */
static enum record_reject take_flag(const struct reading_value *value, bool *flag)
{
    int64_t number;
    if (value->kind == VALUE_ABSENT)
        return REJECT_NONE;
    if (value->kind == VALUE_TRUE || value->kind == VALUE_FALSE) {
        *flag = value->kind == VALUE_TRUE;
        return REJECT_NONE;
    }
    if (is_word(value, "t", "true") || is_word(value, "f", "false")) {
        *flag = value->text.data[0] == 't' || value->text.data[0] == 'T';
        return REJECT_NONE;
    }
    if (take_whole(value, &number) || number < 0 || number > 1)
        return REJECT_WRONG_TYPE;
    *flag = number == 1;
    return REJECT_NONE;
}

/* ---- Which transmitter ---- */

static enum record_reject take_channel(const struct reading_value *value, struct reading *reading)
{
    int64_t number;
    uint64_t digits;
    if (value->kind == VALUE_ABSENT)
        return REJECT_MISSING_MEMBER;
    if (value->kind == VALUE_TEXT) {
        if (!view_to_uint64(value->text, &digits))
            return REJECT_WRONG_TYPE;
        number = digits > 16 ? 17 : (int64_t)digits;
    } else {
        enum record_reject reject = take_whole(value, &number);
        if (reject)
            return reject;
    }
    if (number < 1 || number > 16)
        return REJECT_CHANNEL_RANGE;
    reading->channel = (int)number;
    return REJECT_NONE;
}

static enum record_reject take_rolling_code(const struct reading_fields *fields,
                                            const struct reading_options *options,
                                            struct reading *reading, uint64_t *ignored)
{
    static const enum reading_field choices[] = {FIELD_ROLLING_CODE, FIELD_ID};
    enum reading_field chosen;
    int64_t number = options->default_code;
    const struct reading_value *value = choose(fields, choices, 2, &chosen, ignored);
    if (!value && !options->has_default_code)
        return REJECT_MISSING_MEMBER;
    enum record_reject reject = value ? take_whole(value, &number) : REJECT_NONE;
    if (reject)
        return reject;
    if (number < 0 || number > 255)
        return REJECT_ROLLING_CODE_RANGE;
    reading->rolling_code = (int)number;
    return REJECT_NONE;
}

/* ---- What it measured ---- */

static enum temperature_unit unit_of(enum reading_field field, enum temperature_unit own)
{
    if (field == FIELD_TEMPERATURE)
        return own;
    if (field == FIELD_RAW_TEMP)
        return UNIT_TENTHS_C;
    return field == FIELD_TEMPERATURE_F ? UNIT_F : UNIT_C;
}

static enum record_reject take_temperature(const struct reading_fields *fields,
                                           enum temperature_unit own_unit,
                                           struct reading_part *part, uint64_t *ignored)
{
    static const enum reading_field choices[] = {FIELD_TEMPERATURE_F, FIELD_TEMPERATURE_C,
                                                 FIELD_TEMPERATURE, FIELD_RAW_TEMP};
    enum reading_field chosen;
    int64_t raw;
    const struct reading_value *value = choose(fields, choices, 4, &chosen, ignored);
    part->reading.raw = RAW_ABSENT;
    if (!value)
        return REJECT_NONE;
    enum temperature_unit unit = unit_of(chosen, own_unit);
    enum record_reject reject = take_number(value, unit == UNIT_F || unit == UNIT_C ? 1 : 0, &raw);
    if (reject)
        return reject;
    bool fahrenheit = unit == UNIT_F || unit == UNIT_TENTHS_F;
    if (chosen != FIELD_RAW_TEMP)
        raw += fahrenheit ? RAW_F_OFFSET : RAW_C_OFFSET;
    if (raw < 0 || raw >= RAW_ABSENT)
        return REJECT_TEMPERATURE_RANGE;
    part->reading.scale = fahrenheit ? SCALE_TENTHS_F : SCALE_TENTHS_C;
    part->reading.raw = (int)raw;
    part->has |= HAS_TEMPERATURE;
    return REJECT_NONE;
}

static enum record_reject take_humidity(const struct reading_value *value,
                                        struct reading_part *part)
{
    int64_t number;
    part->reading.humidity = HUMIDITY_ABSENT;
    if (value->kind == VALUE_ABSENT)
        return REJECT_NONE;
    enum record_reject reject = take_number(value, 0, &number);
    if (reject)
        return reject;
    if (number < 0 || number > 100)
        return REJECT_HUMIDITY_RANGE;
    part->reading.humidity = (int)number;
    part->has |= HAS_HUMIDITY;
    return REJECT_NONE;
}

static enum record_reject take_signal(const struct reading_fields *fields,
                                      struct reading_part *part, uint64_t *ignored)
{
    static const enum reading_field choices[] = {FIELD_SIGNAL, FIELD_RSSI};
    enum reading_field chosen;
    int64_t number;
    const struct reading_value *value = choose(fields, choices, 2, &chosen, ignored);
    if (!value)
        return REJECT_NONE;
    enum record_reject reject = take_number(value, 0, &number);
    if (reject)
        return reject;
    number = number < 0 ? -number : number;
    if (number > 127)
        return REJECT_SIGNAL_RANGE;
    part->reading.signal = (int)number;
    part->has |= HAS_SIGNAL;
    return REJECT_NONE;
}

static enum record_reject take_battery(const struct reading_fields *fields,
                                       struct reading_part *part, uint64_t *ignored)
{
    static const enum reading_field choices[] = {FIELD_BATTERY_OK, FIELD_BATTERY_LOW};
    enum reading_field chosen;
    bool flag = false;
    const struct reading_value *value = choose(fields, choices, 2, &chosen, ignored);
    if (!value)
        return REJECT_NONE;
    enum record_reject reject = take_flag(value, &flag);
    part->reading.battery_low = chosen == FIELD_BATTERY_OK ? !flag : flag;
    part->has |= HAS_BATTERY;
    return reject;
}

static enum record_reject take_flags(const struct reading_fields *fields, struct reading_part *part)
{
    const struct reading_value *relay = &fields->values[FIELD_RELAY];
    const struct reading_value *occupied = &fields->values[FIELD_OCCUPIED];
    enum record_reject reject = take_flag(relay, &part->reading.relay);
    if (!reject)
        reject = take_flag(occupied, &part->reading.occupied);
    part->has |= relay->kind != VALUE_ABSENT ? HAS_RELAY : 0u;
    part->has |= occupied->kind != VALUE_ABSENT ? HAS_OCCUPIED : 0u;
    return reject;
}

/* ---- When ---- */

/* `*ms` as if the local time were UTC; becomes UTC. */
static enum record_reject to_utc(const struct reading_options *options, int64_t *ms,
                                 struct error_record *error)
{
    const struct time_zone *zone = options->zone;
    if (!zone)
        zone = time_zones_find(options->zones, options->time_zone, error);
    if (!zone)
        return REJECT_BAD_TIME;
    *ms = time_zone_to_utc_ms(zone, *ms);
    return REJECT_NONE;
}

static enum record_reject take_time_text(const struct reading_value *value, bool is_utc,
                                         const struct reading_options *options, int64_t *ms,
                                         struct error_record *error)
{
    struct parsed_time parsed;
    if (value->kind != VALUE_TEXT && value->kind != VALUE_UNTYPED)
        return REJECT_WRONG_TYPE;
    if (value->kind == VALUE_UNTYPED && time_parse_epoch(value->text, ms))
        return REJECT_NONE;
    if (!time_parse(value->text, &parsed))
        return REJECT_BAD_TIME;
    *ms = parsed.ms;
    return parsed.has_offset || is_utc ? REJECT_NONE : to_utc(options, ms, error);
}

static enum record_reject take_time(const struct reading_fields *fields,
                                    const struct reading_options *options, struct reading *reading,
                                    uint64_t *ignored, struct error_record *error)
{
    static const enum reading_field choices[] = {FIELD_TIME, FIELD_SENSOR_TIMESTAMP};
    enum reading_field chosen;
    enum record_reject reject = REJECT_NONE;
    int64_t ms = fields->has_time_ms ? fields->time_ms : options->now_ms;
    const struct reading_value *value = choose(fields, choices, 2, &chosen, ignored);
    bool is_known = fields->has_time_ms || value;
    if (fields->has_time_ms && value)
        ++*ignored;
    if (!is_known && options->needs_time)
        return REJECT_MISSING_MEMBER;
    if (!fields->has_time_ms && value)
        reject = take_time_text(value, chosen == FIELD_SENSOR_TIMESTAMP, options, &ms, error);
    if (reject)
        return reject;
    if (is_known && (ms < 0 || ms > READING_TIME_MAX_MS))
        return REJECT_TIME_RANGE;
    reading->time_ms = ms;
    reading->time_quality = is_known ? TIME_SENDER : TIME_SERVER;
    return REJECT_NONE;
}

/* ---- All of it ---- */

enum record_reject reading_part_from_fields(const struct reading_fields *fields,
                                            const struct reading_options *options,
                                            struct reading_part *part, uint64_t *ignored,
                                            struct error_record *error)
{
    *part = (struct reading_part){0};
    error->code = HEARTH_OK;
    enum record_reject reject = take_time(fields, options, &part->reading, ignored, error);
    if (!reject)
        reject = take_channel(&fields->values[FIELD_CHANNEL], &part->reading);
    if (!reject)
        reject = take_rolling_code(fields, options, &part->reading, ignored);
    if (!reject)
        reject = take_temperature(fields, options->unit, part, ignored);
    if (!reject)
        reject = take_humidity(&fields->values[FIELD_HUMIDITY], part);
    if (!reject)
        reject = take_signal(fields, part, ignored);
    if (!reject)
        reject = take_battery(fields, part, ignored);
    if (!reject)
        reject = take_flags(fields, part);
    return reject;
}

enum record_reject reading_from_fields(const struct reading_fields *fields,
                                       const struct reading_options *options,
                                       struct reading *reading, uint64_t *ignored,
                                       struct error_record *error)
{
    struct reading_part part;
    enum record_reject reject = reading_part_from_fields(fields, options, &part, ignored, error);
    *reading = part.reading;
    if (!reject && (part.has & (HAS_TEMPERATURE | HAS_HUMIDITY)) == 0)
        return REJECT_MISSING_MEMBER;
    return reject;
}
