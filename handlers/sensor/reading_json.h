/*
 * reading_json.h - one reading as a JSON object, as senders write it.
 *
 *   time          text, see time_parse.h; without an offset in the sender's zone; absent: the
 *                 server's clock
 *   channel       1 to 16, a number or its digits as text
 *   rolling_code  0 to 255; `id` means the same (rtl_433)
 *   temperature   in the sender's unit; temperature_F and temperature_C in degrees, which go before
 *   humidity      per cent, 0 to 100, rounded to a whole number
 *   battery_ok    true, false, 1 or 0; absent: ok
 *   signal, rssi  dB; the sign does not matter, as there is nothing above 0; 0 = unknown
 *   relay, occupied  true, false, 1 or 0
 *   type, model, mic  are known and mean nothing here
 *
 * A member that is null is absent. Channel, rolling code and one of temperature and humidity must
 * be there. Of two members of one name the last counts. Other members, and those that another went
 * before, are ignored and counted. Numbers are taken as the decimal digits that came, rounded half
 * away from zero; only a channel may be text.
 */
#ifndef HEARTH_SENSOR_READING_JSON_H
#define HEARTH_SENSOR_READING_JSON_H

#include "handlers/sensor/time_zone.h"
#include "hearth/auth.h"
#include "hearth/reading_store.h"

#include <json-c/json.h>

struct reading_json_options {
    enum temperature_unit unit;
    struct view time_zone; /* name, for times without an offset */
    struct time_zones *zones;
    int64_t now_ms; /* for readings without a time */
};

/* REJECT_NONE, or why it is no reading. Values are within the record's fields except that
 * record_encode still has to judge time, signal and the like. `ignored` is raised. When the zone
 * cannot be loaded, `error` is filled and its code is in `error->code`; else that is HEARTH_OK. */
HEARTH_MUST_CHECK enum record_reject reading_from_json(struct json_object *object,
                                                       const struct reading_json_options *options,
                                                       struct reading *reading, uint64_t *ignored,
                                                       struct error_record *error);

#endif
