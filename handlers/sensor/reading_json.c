/*
 * reading_json.c - one reading as a JSON object.
 *
 * The members are first sorted into a table by name, then taken one field after the other, so that
 * neither their order nor what stands between them matters.
 */
#include "handlers/sensor/reading_json.h"

#include "handlers/sensor/decimal.h"
#include "handlers/sensor/time_parse.h"

#include <string.h>

enum member {
    MEMBER_TIME,
    MEMBER_CHANNEL,
    MEMBER_ROLLING_CODE,
    MEMBER_ID,
    MEMBER_TEMPERATURE,
    MEMBER_TEMPERATURE_F,
    MEMBER_TEMPERATURE_C,
    MEMBER_HUMIDITY,
    MEMBER_BATTERY_OK,
    MEMBER_SIGNAL,
    MEMBER_RSSI,
    MEMBER_RELAY,
    MEMBER_OCCUPIED,
    MEMBER_SILENT, /* from here on: known, and not looked at */
    MEMBER_MODEL = MEMBER_SILENT,
    MEMBER_TYPE,
    MEMBER_MIC,
    MEMBER_COUNT
};

static const char *const member_names[MEMBER_COUNT] = {
    [MEMBER_TIME] = "time",
    [MEMBER_CHANNEL] = "channel",
    [MEMBER_ROLLING_CODE] = "rolling_code",
    [MEMBER_ID] = "id",
    [MEMBER_TEMPERATURE] = "temperature",
    [MEMBER_TEMPERATURE_F] = "temperature_F",
    [MEMBER_TEMPERATURE_C] = "temperature_C",
    [MEMBER_HUMIDITY] = "humidity",
    [MEMBER_BATTERY_OK] = "battery_ok",
    [MEMBER_SIGNAL] = "signal",
    [MEMBER_RSSI] = "rssi",
    [MEMBER_RELAY] = "relay",
    [MEMBER_OCCUPIED] = "occupied",
    [MEMBER_MODEL] = "model",
    [MEMBER_TYPE] = "type",
    [MEMBER_MIC] = "mic",
};

struct members {
    struct json_object *values[MEMBER_COUNT]; /* NULL = absent or null */
};

static enum member member_of(const char *name)
{
    int member = 0;
    while (member < MEMBER_COUNT && strcmp(member_names[member], name) != 0)
        member++;
    return (enum member)member;
}

static void sort_members(struct json_object *object, struct members *members, uint64_t *ignored)
{
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    *members = (struct members){0};
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        enum member member = member_of(json_object_iter_peek_name(&at));
        if (member == MEMBER_COUNT)
            ++*ignored;
        else
            members->values[member] = json_object_iter_peek_value(&at);
    }
}

/* The first that is there; the others count as ignored. */
static struct json_object *choose(const struct members *members, const enum member *choices,
                                  size_t count, enum member *chosen, uint64_t *ignored)
{
    struct json_object *value = NULL;
    for (size_t i = 0; i < count; i++) {
        struct json_object *candidate = members->values[choices[i]];
        if (candidate && value)
            ++*ignored;
        if (!candidate || value)
            continue;
        value = candidate;
        *chosen = choices[i];
    }
    return value;
}

/* ---- Values ---- */

static struct view text_of(struct json_object *value)
{
    return view_from(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

/* A number times 10^places, rounded. json-c keeps the digits of what has a point or an exponent. */
static enum record_reject take_number(struct json_object *value, int places, int64_t *number)
{
    if (json_object_is_type(value, json_type_int)) {
        static const int64_t power[] = {1, 10};
        int64_t whole = json_object_get_int64(value);
        whole = whole > DECIMAL_LIMIT ? DECIMAL_LIMIT : whole;
        whole = whole < -DECIMAL_LIMIT ? -DECIMAL_LIMIT : whole;
        *number = whole * power[places];
        return REJECT_NONE;
    }
    if (!json_object_is_type(value, json_type_double))
        return REJECT_WRONG_TYPE;
    struct view digits = view_of(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    return decimal_round(digits, places, number) ? REJECT_NONE : REJECT_WRONG_TYPE;
}

/* A number that is whole, however it is written: 1, 1.0, 1e0. */
static enum record_reject take_whole(struct json_object *value, int64_t *number)
{
    enum record_reject reject = take_number(value, 0, number);
    if (!reject && json_object_is_type(value, json_type_double) &&
        json_object_get_double(value) != (double)*number)
        return REJECT_WRONG_TYPE;
    return reject;
}

static enum record_reject take_flag(struct json_object *value, bool absent, bool *flag)
{
    int64_t number;
    *flag = absent;
    if (!value)
        return REJECT_NONE;
    if (json_object_is_type(value, json_type_boolean)) {
        *flag = json_object_get_boolean(value);
        return REJECT_NONE;
    }
    enum record_reject reject = take_whole(value, &number);
    if (reject || number < 0 || number > 1)
        return REJECT_WRONG_TYPE;
    *flag = number == 1;
    return REJECT_NONE;
}

/* ---- Fields ---- */

static enum record_reject take_channel(struct json_object *value, struct reading *reading)
{
    int64_t number;
    uint64_t digits;
    if (!value)
        return REJECT_MISSING_MEMBER;
    if (json_object_is_type(value, json_type_string)) {
        if (!view_to_uint64(text_of(value), &digits))
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

static enum record_reject take_rolling_code(const struct members *members, struct reading *reading,
                                            uint64_t *ignored)
{
    static const enum member choices[] = {MEMBER_ROLLING_CODE, MEMBER_ID};
    enum member chosen;
    int64_t number;
    struct json_object *value = choose(members, choices, 2, &chosen, ignored);
    if (!value)
        return REJECT_MISSING_MEMBER;
    enum record_reject reject = take_whole(value, &number);
    if (reject)
        return reject;
    if (number < 0 || number > 255)
        return REJECT_ROLLING_CODE_RANGE;
    reading->rolling_code = (int)number;
    return REJECT_NONE;
}

static enum temperature_unit unit_of(enum member member, enum temperature_unit unit)
{
    if (member == MEMBER_TEMPERATURE)
        return unit;
    return member == MEMBER_TEMPERATURE_F ? UNIT_F : UNIT_C;
}

static enum record_reject take_temperature(const struct members *members,
                                           enum temperature_unit own_unit, struct reading *reading,
                                           uint64_t *ignored)
{
    static const enum member choices[] = {MEMBER_TEMPERATURE_F, MEMBER_TEMPERATURE_C,
                                          MEMBER_TEMPERATURE};
    enum member chosen;
    int64_t tenths;
    struct json_object *value = choose(members, choices, 3, &chosen, ignored);
    reading->raw = RAW_ABSENT;
    if (!value)
        return REJECT_NONE;
    enum temperature_unit unit = unit_of(chosen, own_unit);
    enum record_reject reject =
        take_number(value, unit == UNIT_F || unit == UNIT_C ? 1 : 0, &tenths);
    if (reject)
        return reject;
    bool fahrenheit = unit == UNIT_F || unit == UNIT_TENTHS_F;
    int64_t raw = tenths + (fahrenheit ? RAW_F_OFFSET : RAW_C_OFFSET);
    if (raw < 0 || raw >= RAW_ABSENT)
        return REJECT_TEMPERATURE_RANGE;
    reading->scale = fahrenheit ? SCALE_TENTHS_F : SCALE_TENTHS_C;
    reading->raw = (int)raw;
    return REJECT_NONE;
}

static enum record_reject take_humidity(struct json_object *value, struct reading *reading)
{
    int64_t number;
    reading->humidity = HUMIDITY_ABSENT;
    if (!value)
        return REJECT_NONE;
    enum record_reject reject = take_number(value, 0, &number);
    if (reject)
        return reject;
    if (number < 0 || number > 100)
        return REJECT_HUMIDITY_RANGE;
    reading->humidity = (int)number;
    return REJECT_NONE;
}

static enum record_reject take_signal(const struct members *members, struct reading *reading,
                                      uint64_t *ignored)
{
    static const enum member choices[] = {MEMBER_SIGNAL, MEMBER_RSSI};
    enum member chosen;
    int64_t number;
    struct json_object *value = choose(members, choices, 2, &chosen, ignored);
    if (!value)
        return REJECT_NONE;
    enum record_reject reject = take_number(value, 0, &number);
    if (reject)
        return reject;
    number = number < 0 ? -number : number;
    if (number > 127)
        return REJECT_SIGNAL_RANGE;
    reading->signal = (int)number;
    return REJECT_NONE;
}

static enum record_reject take_time(struct json_object *value,
                                    const struct reading_json_options *options,
                                    struct reading *reading, struct error_record *error)
{
    struct parsed_time parsed;
    reading->time_ms = options->now_ms;
    reading->time_quality = TIME_SERVER;
    if (!value)
        return REJECT_NONE;
    if (!json_object_is_type(value, json_type_string))
        return REJECT_WRONG_TYPE;
    if (!time_parse(text_of(value), &parsed))
        return REJECT_BAD_TIME;
    if (!parsed.has_offset) {
        const struct time_zone *zone = time_zones_find(options->zones, options->time_zone, error);
        if (!zone)
            return REJECT_BAD_TIME;
        parsed.ms = time_zone_to_utc_ms(zone, parsed.ms);
    }
    if (parsed.ms < 0 || parsed.ms > READING_TIME_MAX_MS)
        return REJECT_TIME_RANGE;
    reading->time_ms = parsed.ms;
    reading->time_quality = TIME_SENDER;
    return REJECT_NONE;
}

static enum record_reject take_flags(const struct members *members, struct reading *reading)
{
    bool battery_ok;
    enum record_reject reject = take_flag(members->values[MEMBER_BATTERY_OK], true, &battery_ok);
    if (!reject)
        reject = take_flag(members->values[MEMBER_RELAY], false, &reading->relay);
    if (!reject)
        reject = take_flag(members->values[MEMBER_OCCUPIED], false, &reading->occupied);
    reading->battery_low = !battery_ok;
    return reject;
}

enum record_reject reading_from_json(struct json_object *object,
                                     const struct reading_json_options *options,
                                     struct reading *reading, uint64_t *ignored,
                                     struct error_record *error)
{
    struct members members;
    *reading = (struct reading){0};
    error->code = HEARTH_OK;
    if (!json_object_is_type(object, json_type_object))
        return REJECT_WRONG_TYPE;
    sort_members(object, &members, ignored);
    enum record_reject reject = take_time(members.values[MEMBER_TIME], options, reading, error);
    if (!reject)
        reject = take_channel(members.values[MEMBER_CHANNEL], reading);
    if (!reject)
        reject = take_rolling_code(&members, reading, ignored);
    if (!reject)
        reject = take_temperature(&members, options->unit, reading, ignored);
    if (!reject)
        reject = take_humidity(members.values[MEMBER_HUMIDITY], reading);
    if (!reject)
        reject = take_signal(&members, reading, ignored);
    if (!reject)
        reject = take_flags(&members, reading);
    if (!reject && reading->raw == RAW_ABSENT && reading->humidity == HUMIDITY_ABSENT)
        reject = REJECT_MISSING_MEMBER;
    return reject;
}
