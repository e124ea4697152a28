/*
 * range_answer.h - an answer made of a range of the store, with an ETag that is true.
 *
 * The ETag names the store's generation, so the content must be exactly that of this generation,
 * while readings keep coming in. What a range shows is fixed when its first block comes: if the
 * generation is by then still the one that was asked for at first, it is the content's. Only then
 * are the ETag strong, the length said, and parts given out; else the whole is sent under a weak
 * ETag that never matches again.
 */
#ifndef HEARTH_SENSOR_RANGE_ANSWER_H
#define HEARTH_SENSOR_RANGE_ANSWER_H

#include "handlers/sensor/sensor.h"
#include "handlers/sensor/series/series_names.h"

struct range_answer {
    /* Required. */
    const struct sensor *sensor;
    const struct request *request;
    struct response *response;
    struct view content_type;
    struct reading_range range;
    struct store_state state; /* as it was when the query was completed */
    struct view etag;         /* from query_etag */
    int64_t size_bytes;       /* of the content at that state; -1 = not known */
    range_visit_fn *visit;    /* writes the body; sees `part` filled */
    void *context;

    /* Filled before the first visit. */
    struct byte_range part; /* of the content that is to be sent; length UINT64_MAX = all */
    bool opened, sent;
};

/* A strong ETag over the store (which one, and its generation), the names of the series (may be
 * NULL) and the question in words that are the same for the same question. Empty when memory ran
 * out, which costs a client no more than a 304. */
struct view query_etag(const struct sensor *sensor, const struct request *request,
                       const struct store_state *state, const struct series_names *names,
                       struct view question);

/* Puts the weak form of the ETag in its place. */
HEARTH_MUST_CHECK enum hearth_error
range_answer_weaken(const struct request *request, struct response *response, struct view etag);

/* For an answer of unknown length that is first made and then sent: judges the conditions and sets
 * ETag and Content-Type. `*answered`: by a 304, a 412, or a head, where that is all that was asked
 * for; finished. */
HEARTH_MUST_CHECK enum hearth_error range_answer_head(const struct request *request,
                                                      struct response *response, struct view etag,
                                                      struct view content_type, bool *answered);
/* When it is made: puts the weak form in the place of the ETag where the store is no longer at
 * `state`. */
HEARTH_MUST_CHECK enum hearth_error
range_answer_recheck(const struct sensor *sensor, const struct request *request,
                     struct response *response, const struct store_state *state, struct view etag);

/* Sends the head and, through `visit`, the body, but does not finish it. HEAD is answered from the
 * state, and visits nothing. `answer->sent`: a 304, 412
 * or 416 was the answer, and that is finished. Errors: those of the store, the builder, `visit`. */
HEARTH_MUST_CHECK enum hearth_error range_answer_run(struct range_answer *answer);

#endif
