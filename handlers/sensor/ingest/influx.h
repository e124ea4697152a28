/*
 * influx.h - the addresses of InfluxDB at which readings are taken, as its clients use them.
 *
 *   POST /write         version 1: db, rp, consistency (all without effect), precision, u, p
 *   POST /api/v2/write  version 2: org, bucket (without effect), precision
 *   GET  /ping          204
 *   GET, POST /query    q = CREATE DATABASE ... or SHOW DATABASES; anything else is 400
 *
 * The token, with scope data:write, comes as Authorization: Bearer, Token or Basic, or as `p`,
 * which goes before. Errors have InfluxDB's form: {"error"} in version 1, {"code","message"} in 2.
 */
#ifndef HEARTH_SENSOR_INFLUX_H
#define HEARTH_SENSOR_INFLUX_H

#include "handlers/sensor/sensor.h"

/* ---- Handlers; `state` is a struct sensor ---- */

handler_fn influx_write_v1, influx_write_v2, influx_ping, influx_query;

/* ---- Shared by them ---- */

enum influx_version { INFLUX_V1 = 1, INFLUX_V2 = 2 };

/* Whose request is it? Errors: UNAUTHORIZED, FORBIDDEN, UNAVAILABLE. */
HEARTH_MUST_CHECK enum hearth_error influx_allow(const struct sensor *sensor,
                                                 const struct request *request,
                                                 struct auth_identity *identity);
/* Adds X-Influxdb-Version and the like. Errors: the builder's. */
HEARTH_MUST_CHECK enum hearth_error influx_begin(struct response *response);
/* The answer for an error, in the version's form. Gives back `code`, and the answer is finished; or
 * what kept it from being sent, and dispatch finds the words. */
enum hearth_error influx_fail(const struct request *request, struct response *response,
                              enum influx_version version, enum hearth_error code);

#endif
