/*
 * influx.c - POST /write and /api/v2/write: readings in InfluxDB line protocol; GET /ping.
 *
 * The answer is 204 once everything found a place, in the store or in quarantine. InfluxDB answers
 * 400 when a line is bad and drops it ("partial write"); here nothing is dropped, and a 400 would
 * only do harm: telegraf gives up a batch on one 400 and sends it for ever on another, and what
 * rtl_433 is told it does not hear. How many went where stands in a header, since 204 has no body:
 *
 *   Hearth-Readings: accepted=4998, duplicate=0, quarantined=2      (RFC 8941, a dictionary)
 *
 * 400 is for a request that is wrong as a whole (precision, packing), and then nothing is stored.
 */
#include "handlers/sensor/ingest/influx.h"

#include "handlers/sensor/ingest/ingest.h"

#include <stdio.h>

enum { SUMMARY_BYTES = 120 };

static enum hearth_error read_precision(const struct request *request,
                                        enum line_precision *precision)
{
    struct view text = request_query(request, "precision");
    *precision = LINE_PRECISION_NS;
    if (text.length == 0 || line_precision_parse(text, precision))
        return HEARTH_OK;
    return request_fail(request, HEARTH_BAD_QUERY,
                        "invalid precision (use " LINE_PRECISION_FORMS ")");
}

static enum hearth_error take_body(struct ingest *ingest, enum line_precision precision)
{
    enum hearth_error error;
    ingest_choose(ingest, DIALECT_INFLUX);
    error = ingest_line_protocol(&ingest->batch, buffer_view(&ingest->body), precision);
    return error ? error : ingest_finish(ingest);
}

static enum hearth_error send_stored(const struct ingest *ingest, struct response *response)
{
    char summary[SUMMARY_BYTES];
    const struct append_result *total = &ingest->total;
    int length =
        snprintf(summary, sizeof summary, "accepted=%llu, duplicate=%llu, quarantined=%llu",
                 (unsigned long long)total->accepted, (unsigned long long)total->duplicate,
                 (unsigned long long)total->quarantined);
    enum hearth_error error = influx_begin(response);
    if (!error)
        error = response_set_header(response, VIEW("Hearth-Readings"),
                                    view_from(summary, (size_t)length));
    if (!error)
        error = response_set_status(response, 204);
    return error ? error : response_finish(response);
}

static enum hearth_error write_lines(const struct request *request, struct response *response,
                                     const struct sensor *sensor, enum influx_version version)
{
    struct ingest ingest = {.dialect = DIALECT_INFLUX};
    enum line_precision precision;
    enum hearth_error error = influx_allow(sensor, request, &ingest.identity);
    if (!error)
        error = read_precision(request, &precision);
    if (error)
        return influx_fail(request, response, version, error);
    error = ingest_begin(&ingest, sensor, request);
    if (!error)
        error = take_body(&ingest, precision);
    error = error ? influx_fail(request, response, version, error) : send_stored(&ingest, response);
    ingest_end(&ingest);
    return error;
}

enum hearth_error influx_write_v1(const struct request *request, struct response *response,
                                  void *state)
{
    return write_lines(request, response, state, INFLUX_V1);
}

enum hearth_error influx_write_v2(const struct request *request, struct response *response,
                                  void *state)
{
    return write_lines(request, response, state, INFLUX_V2);
}

enum hearth_error influx_ping(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    enum hearth_error error = influx_begin(response);
    if (!error)
        error = response_set_status(response, 204);
    return error ? error : response_finish(response);
}
