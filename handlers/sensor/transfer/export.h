/*
 * export.h - all readings of a span, one by one, in one of several forms.
 *
 * A form is a visitor of records and what comes at the end; everything else (who may, which span,
 * ETag, Range, the head) is the same for all and stands in export.c.
 */
#ifndef HEARTH_SENSOR_EXPORT_H
#define HEARTH_SENSOR_EXPORT_H

#include "handlers/sensor/query/answer_stream.h"
#include "handlers/sensor/query/query_parameters.h"
#include "handlers/sensor/query/range_answer.h"

struct export_form;

struct export
{
    struct range_answer answer;
    const struct export_form *form;
    bool with_private; /* relay and occupied are shown */
    struct query_series series;
    enum series_unit unit;
    struct view zone_name;
    const struct time_zone *zone;

    /* Records. */
    struct record *chunk; /* EXPORT_CHUNK_RECORDS */
    uint64_t position;    /* of the next record in the content, in bytes */

    /* Text. */
    struct answer_stream stream;
    bool begun;   /* the head line is written */
    int offset_s; /* of the zone, up to `offset_until_s` */
    int64_t offset_until_s;
};

enum { EXPORT_CHUNK_RECORDS = 4096 };

struct export_form {
    const char *name;         /* for ETags */
    const char *media_type;   /* for Accept */
    const char *content_type; /* with its parameters */
    const char *file_name;
    bool is_record;        /* 12 bytes a reading: the length of all of them is known */
    range_visit_fn *visit; /* the context is the struct export */
    /* Writes what is left, also when nothing was visited, and finishes the answer. */
    enum hearth_error (*finish)(struct export *export);
};

extern const struct export_form export_form_csv, export_form_ndjson, export_form_bin;

#endif
