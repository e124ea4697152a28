/*
 * range_answer.c - an answer made of a range of the store.
 *
 * Conditions are judged twice: early, by the state alone, so that a 304 opens no file, and again at
 * the first block (or behind an empty range), where it is known what the content is.
 */
#include "handlers/sensor/query/range_answer.h"

#include <openssl/evp.h>
#include <string.h>

enum { ETAG_HASH_BYTES = 16 }; /* of the SHA-256: enough for no two to be the same by chance */

static const char *etag_text(const struct sensor *sensor, const struct request *request,
                             const struct store_state *state, const struct series_names *names,
                             struct view question)
{
    uint64_t id[2];
    memcpy(id, state->id, sizeof id);
    return arena_format(request->arena, "%s %llx%llx %llx %llx %llx %llx %lld %.*s", HEARTH_VERSION,
                        (unsigned long long)id[0], (unsigned long long)id[1],
                        (unsigned long long)state->generation, (unsigned long long)state->readings,
                        (unsigned long long)state->newest_ms,
                        (unsigned long long)(names ? series_names_version(names) : 0),
                        (long long)sensor->stale_after_ms, VIEW_ARGUMENTS(question));
}

struct view query_etag(const struct sensor *sensor, const struct request *request,
                       const struct store_state *state, const struct series_names *names,
                       struct view question)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    const char *text = etag_text(sensor, request, state, names, question);
    char *tag = arena_alloc(request->arena, 2 * ETAG_HASH_BYTES + 3);
    if (!text || !tag || EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) != 1)
        return VIEW_NONE;
    tag[0] = tag[2 * ETAG_HASH_BYTES + 1] = '"';
    for (int i = 0; i < ETAG_HASH_BYTES; i++) {
        tag[2 * i + 1] = digits[hash[i] >> 4];
        tag[2 * i + 2] = digits[hash[i] & 15];
    }
    tag[2 * ETAG_HASH_BYTES + 2] = '\0';
    return view_of(tag);
}

static enum hearth_error negotiate(struct range_answer *answer, int64_t size_bytes)
{
    enum condition_outcome outcome;
    const struct representation representation = {
        .etag = answer->etag, .last_modified_ms = -1, .size_bytes = size_bytes};
    enum hearth_error error = response_negotiate(answer->response, answer->request, &representation,
                                                 &outcome, &answer->part);
    if (error)
        return error;
    answer->sent = outcome != CONDITION_SEND && outcome != CONDITION_SEND_RANGE;
    if (outcome == CONDITION_SEND)
        answer->part = (struct byte_range){0, UINT64_MAX};
    if (outcome == CONDITION_SEND && size_bytes >= 0)
        return response_set_length(answer->response, (uint64_t)size_bytes);
    return HEARTH_OK;
}

enum hearth_error range_answer_weaken(const struct request *request, struct response *response,
                                      struct view etag)
{
    const char *weak = arena_format(request->arena, "W/%.*s", VIEW_ARGUMENTS(etag));
    return weak ? response_set_header(response, VIEW("ETag"), view_of(weak)) : HEARTH_NO_MEMORY;
}

enum hearth_error range_answer_head(const struct request *request, struct response *response,
                                    struct view etag, struct view content_type, bool *answered)
{
    enum condition_outcome outcome;
    struct byte_range unused;
    const struct representation representation = {
        .etag = etag, .last_modified_ms = -1, .size_bytes = -1};
    enum hearth_error error =
        response_negotiate(response, request, &representation, &outcome, &unused);
    *answered = outcome != CONDITION_SEND;
    if (error || *answered)
        return error;
    error = response_set_header(response, VIEW("Content-Type"), content_type);
    *answered = request->method == METHOD_HEAD;
    return error || !*answered ? error : response_finish(response);
}

enum hearth_error range_answer_recheck(const struct sensor *sensor, const struct request *request,
                                       struct response *response, const struct store_state *state,
                                       struct view etag)
{
    struct store_state now;
    enum hearth_error error = sensor_state(sensor, request, &now);
    if (error || now.generation == state->generation)
        return error;
    return range_answer_weaken(request, response, etag);
}

/* The head. PRECONDITION_FAILED ends the range when the answer is complete without a body. */
static enum hearth_error open_answer(struct range_answer *answer)
{
    struct store_state now;
    if (answer->opened)
        return HEARTH_OK;
    answer->opened = true;
    enum hearth_error error = sensor_state(answer->sensor, answer->request, &now);
    if (error)
        return error;
    answer->part = (struct byte_range){0, UINT64_MAX};
    if (now.generation == answer->state.generation)
        error = negotiate(answer, answer->size_bytes);
    else
        error = range_answer_weaken(answer->request, answer->response, answer->etag);
    if (error || answer->sent)
        return error ? error : HEARTH_PRECONDITION_FAILED;
    return response_set_header(answer->response, VIEW("Content-Type"), answer->content_type);
}

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct range_answer *answer = context;
    enum hearth_error error = open_answer(answer);
    return error ? error : answer->visit(answer->context, records, count);
}

enum hearth_error range_answer_run(struct range_answer *answer)
{
    struct reading_store *store = answer->sensor->store;
    enum hearth_error error = HEARTH_OK;
    answer->opened = answer->sent = false;
    if (request_header(answer->request, "if-none-match").data) {
        error = negotiate(answer, -1);
        if (error || answer->sent)
            return error;
    }
    if (answer->request->method != METHOD_HEAD)
        error = store->range(store, &answer->range, visit, answer, answer->request->error);
    if (!error)
        error = open_answer(answer);
    return answer->sent ? HEARTH_OK : error;
}
