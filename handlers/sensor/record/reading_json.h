/*
 * reading_json.h - one reading as a JSON object, as senders write it.
 *
 *   {"time":"2025-09-14 18:04:51-0600","channel":"1","rolling_code":107,"temperature":744,
 *    "humidity":35,"battery_ok":true}
 *
 * Names and meanings are those of reading_fields.h. A member that is null is absent. Channel,
 * rolling code and one of temperature and humidity must be there. Of two members of one name the
 * last counts. Other members are ignored and counted. Only times and a channel may be text.
 */
#ifndef HEARTH_SENSOR_READING_JSON_H
#define HEARTH_SENSOR_READING_JSON_H

#include "handlers/sensor/record/reading_fields.h"

/* `text` begins with one JSON value (ingest_json_scan found it). REJECT_NONE, or why it is no
 * reading; for the rest see reading_from_fields. */
HEARTH_MUST_CHECK enum record_reject reading_from_json(struct view text,
                                                       const struct reading_options *options,
                                                       struct reading *reading, uint64_t *ignored,
                                                       struct error_record *error);

#endif
