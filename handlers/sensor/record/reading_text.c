/*
 * reading_text.c - members of one reading as JSON.
 */
#include "handlers/sensor/record/reading_text.h"

#include "handlers/sensor/record/digest.h"
#include "handlers/sensor/text/text_put.h"

static char *put_quantity(char *at, const struct record *record, enum quantity quantity,
                          enum value_unit unit)
{
    int32_t value;
    if (!record_quantity(record, quantity, &value))
        return text_put(at, VIEW("null"));
    return value_put(at, value, unit);
}

char *reading_put_temperature(char *at, const struct record *record, enum value_unit unit)
{
    return put_quantity(at, record, QUANTITY_TEMPERATURE, unit);
}

char *reading_put_values(char *at, const struct record *record, enum value_unit unit)
{
    struct reading reading = {0};
    if (record_decode(record, &reading))
        reading = (struct reading){0};
    at = text_put(at, VIEW("\"temperature\":"));
    at = put_quantity(at, record, QUANTITY_TEMPERATURE, unit);
    at = text_put(at, VIEW(",\"humidity\":"));
    at = put_quantity(at, record, QUANTITY_HUMIDITY, VALUE_PERCENT);
    at = text_put(at, reading.battery_low ? VIEW(",\"battery_low\":true")
                                          : VIEW(",\"battery_low\":false"));
    at = text_put(at, VIEW(",\"signal_dbm\":"));
    return reading.signal == 0 ? text_put(at, VIEW("null")) : text_put_integer(at, -reading.signal);
}
