/*
 * export.c - GET /api/v1/export.csv, .ndjson, .bin, and /api/v1/export, where Accept chooses.
 *
 *   from, to          from <= time < to; everything that is stored
 *   series, channel   as for /api/v1/range
 *   quality           all (so by default), or good, which leaves the suspect readings out
 *   unit, tz          of the text forms: F or C, and in which zone times are written
 *
 * Readings come in ascending order of time and go out as they come: any number of them takes the
 * memory of one chunk. The whole store as records has a known length, so parts of it can be asked
 * for (Range, with If-Range) and a broken download goes on. All else has none: counting it would
 * cost as much as sending it.
 */
#include "handlers/sensor/transfer/export.h"

static const struct export_form *const forms[] = {&export_form_csv, &export_form_ndjson,
                                                  &export_form_bin};

static enum hearth_error take_etag(struct export *export, const struct sensor_span *span)
{
    struct range_answer *answer = &export->answer;
    struct buffer question;
    buffer_init(&question, 1u << 20);
    buffer_append_format(&question, "export %s %d %lld %lld %d %d %.*s", export->form->name,
                         export->with_private, (long long)span->from_ms, (long long)span->to_ms,
                         answer->range.with_suspect, (int)export->unit,
                         VIEW_ARGUMENTS(export->zone_name));
    query_series_normalise(&export->series, &question);
    enum hearth_error error = buffer_status(&question);
    if (!error)
        answer->etag = query_etag(answer->sensor, answer->request, &answer->state,
                                  export->series.names, buffer_view(&question));
    buffer_clean(&question);
    return error;
}

static enum hearth_error take_parameters(struct export *export)
{
    struct range_answer *answer = &export->answer;
    const struct sensor *sensor = answer->sensor;
    const struct request *request = answer->request;
    struct sensor_span span;
    bool with_suspect = true;
    enum hearth_error error = sensor_query_span(sensor, request, &span);
    if (!error)
        error = query_take_quality(request, &with_suspect);
    if (!error)
        error = query_take_unit(request, &export->unit);
    if (!error)
        error = query_take_zone(sensor, request, &export->zone_name, &export->zone);
    if (!error)
        error = query_take_series(sensor, request, &export->series);
    if (!error)
        error = sensor_state(sensor, request, &answer->state);
    if (error)
        return error;
    bool everything = !span.has_from && !span.has_to && with_suspect && !export->series.wanted;
    answer->size_bytes = everything && export->form->is_record
                             ? (int64_t)(answer->state.readings * RECORD_BYTES)
                             : -1;
    answer->range = (struct reading_range){span.from_ms, span.to_ms, 0, -1, with_suspect};
    return take_etag(export, &span);
}

static enum hearth_error prepare(struct export *export)
{
    struct range_answer *answer = &export->answer;
    struct arena *arena = answer->request->arena;
    answer->content_type = view_of(export->form->content_type);
    answer->visit = export->form->visit;
    answer->context = export;
    export->offset_until_s = INT64_MIN;
    const char *disposition =
        arena_format(arena, "attachment; filename=\"%s\"", export->form->file_name);
    if (!disposition)
        return HEARTH_NO_MEMORY;
    enum hearth_error error =
        response_set_header(answer->response, VIEW("Content-Disposition"), view_of(disposition));
    if (error || !export->form->is_record)
        return error ? error : answer_stream_init(&export->stream, arena, answer->response);
    export->chunk = arena_alloc(arena, EXPORT_CHUNK_RECORDS * sizeof *export->chunk);
    return export->chunk ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static enum hearth_error run(const struct request *request, struct response *response, void *state,
                             const struct export_form *form)
{
    struct export export = {.answer = {.sensor = state, .request = request, .response = response},
                            .form = form};
    struct range_answer *answer = &export.answer;
    enum hearth_error error =
        sensor_allow_reading(answer->sensor, request, response, &export.with_private);
    if (!error)
        error = take_parameters(&export);
    if (!error)
        error = prepare(&export);
    if (!error)
        error = range_answer_run(answer);
    if (error || answer->sent)
        return error;
    return request->method == METHOD_HEAD ? response_finish(response) : form->finish(&export);
}

enum hearth_error sensor_export_csv(const struct request *request, struct response *response,
                                    void *state)
{
    return run(request, response, state, &export_form_csv);
}

enum hearth_error sensor_export_ndjson(const struct request *request, struct response *response,
                                       void *state)
{
    return run(request, response, state, &export_form_ndjson);
}

enum hearth_error sensor_export_bin(const struct request *request, struct response *response,
                                    void *state)
{
    return run(request, response, state, &export_form_bin);
}

enum hearth_error sensor_export_get(const struct request *request, struct response *response,
                                    void *state)
{
    const struct export_form *best = NULL;
    int best_quality = 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int quality = request_accepts(request, view_of(forms[i]->media_type));
        if (quality > best_quality) {
            best = forms[i];
            best_quality = quality;
        }
    }
    if (!best)
        return request_fail(request, HEARTH_NOT_ACCEPTABLE,
                            "readings are given as text/csv, application/x-ndjson or "
                            "application/octet-stream");
    enum hearth_error error = response_add_header(response, VIEW("Vary"), VIEW("Accept"));
    return error ? error : run(request, response, state, best);
}
