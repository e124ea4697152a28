/*
 * reading_text.h - members of one reading as JSON, shared by the answers that show readings one by
 * one. Relay and occupied are not among them.
 */
#ifndef HEARTH_SENSOR_READING_TEXT_H
#define HEARTH_SENSOR_READING_TEXT_H

#include "handlers/sensor/text/value_text.h"
#include "hearth/reading_store.h"

enum { READING_TEXT_BYTES = 160 }; /* at most, each of the calls below */

/* 72.4, or null. */
char *reading_put_temperature(char *at, const struct record *record, enum value_unit unit);
/* "temperature":72.4,"humidity":35,"battery_low":false,"signal_dbm":-63 - null where nothing is
 * known. The record is a good one. */
char *reading_put_values(char *at, const struct record *record, enum value_unit unit);

#endif
