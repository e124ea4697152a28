/*
 * metrics_handler.c - /metrics, for whoever may see it: a client on this machine, the bearer of
 * ops.metrics_token, or a token with the scope ops:read.
 */
#include "handlers/ops/ops.h"

enum { METRICS_MAX_BYTES = 8 << 20 }; /* some 2,000 series at 4 KB, a histogram's worst */

/* The credentials of the Bearer scheme; the empty view for any other. */
static struct view bearer(const struct request *request)
{
    struct view value = view_trim(request_header(request, "authorization"));
    if (!view_starts_with_ignore_case(value, VIEW("Bearer ")))
        return VIEW_NONE;
    return view_trim(view_skip(value, sizeof "Bearer " - 1));
}

static enum hearth_error require_reader(const struct ops *ops, const struct request *request)
{
    struct auth_identity identity;
    if (request->client_is_loopback)
        return HEARTH_OK;
    if (ops->metrics_token.length > 0 &&
        view_equal_constant_time(bearer(request), ops->metrics_token))
        return HEARTH_OK;
    return auth_require(ops->services.auth, request, SCOPE_OPS_READ, &identity);
}

enum hearth_error ops_metrics(const struct request *request, struct response *response, void *state)
{
    const struct ops *ops = state;
    struct buffer text;
    enum hearth_error result = require_reader(ops, request);
    if (result != HEARTH_OK)
        return result;
    buffer_init(&text, METRICS_MAX_BYTES);
    result = metrics_render(ops->services.metrics, &text);
    if (result == HEARTH_OK)
        result = response_set_header(response, VIEW("Cache-Control"), VIEW("no-store"));
    if (result == HEARTH_OK)
        result = response_send(response, 200, VIEW("text/plain; version=0.0.4; charset=utf-8"),
                               buffer_view(&text));
    buffer_clean(&text);
    /* A registry that outgrew the bound is no fault of the request. */
    return result == HEARTH_BODY_TOO_LARGE
               ? request_fail_internal(request, HEARTH_INTERNAL, 0, "the metrics outgrew 8 MB")
               : result;
}
