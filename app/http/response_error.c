/*
 * response_error.c - the answer for an error: a problem document (RFC 9457) for programs, a page
 * for people. Both say what the error table and the public detail say, and the request id, by which
 * the log line with the rest is found.
 *
 * It must also work when memory has run out: then a fixed text goes out under fixed headers.
 */
#include "hearth/response.h"

enum {
    ERROR_BODY_MAX_BYTES = 8192, /* the detail of 240 bytes, escaped at its worst, and the frame */
    MAX_KEPT_HEADERS = 8,
};

static const char page_start[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"robots\" content=\"noindex\">\n"
    "<title>";
static const char page_style[] =
    "</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark }\n"
    "body { max-width: 34rem; margin: 15vh auto 2rem; padding: 0 1.25rem; font: 1.1rem/1.5 "
    "system-ui, sans-serif }\n"
    "h1 { font-size: 1.6rem; margin: 0 }\n"
    "small { opacity: .75 }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<main>\n"
    "<h1>";

/* What the client may read, or the empty view. A record of another error is not about this one. */
static struct view public_detail(const struct request *request, enum hearth_error code)
{
    const struct error_record *error = request->error;
    return error->public_detail && error->code == code ? view_of(error->detail) : VIEW_NONE;
}

static void build_problem(struct buffer *out, const struct request *request, enum hearth_error code)
{
    struct view detail = public_detail(request, code);
    buffer_append_text(out, "{\"type\":\"about:blank\",\"title\":");
    buffer_append_json(out, view_of(error_title(code)));
    buffer_append_text(out, ",\"status\":");
    buffer_append_int64(out, error_http_status(code));
    if (detail.length > 0) {
        buffer_append_text(out, ",\"detail\":");
        buffer_append_json(out, detail);
    }
    buffer_append_text(out, ",\"request_id\":");
    buffer_append_json(out, request->request_id);
    buffer_append_text(out, "}\n");
}

static void build_page(struct buffer *out, const struct request *request, enum hearth_error code)
{
    struct view detail = public_detail(request, code), title = view_of(error_title(code));
    buffer_append_text(out, page_start);
    buffer_append_html(out, title);
    buffer_append_text(out, page_style);
    buffer_append_html(out, title);
    buffer_append_text(out, "</h1>\n");
    if (detail.length > 0) {
        buffer_append_text(out, "<p>");
        buffer_append_html(out, detail);
        buffer_append_text(out, "</p>\n");
    }
    buffer_append_text(out, "<p><a href=\"/\">Home</a></p>\n<p><small>");
    buffer_append_int64(out, error_http_status(code));
    buffer_append_text(out, " &middot; request ");
    buffer_append_html(out, request->request_id);
    buffer_append_text(out, "</small></p>\n</main>\n</body>\n</html>\n");
}

/* ---- Headers ---- */

static bool outlives_restart(struct view name)
{
    return view_equal_ignore_case(name, VIEW("allow")) ||
           view_equal_ignore_case(name, VIEW("retry-after")) ||
           view_equal_ignore_case(name, VIEW("www-authenticate"));
}

/* Headers that the failed handler set and that belong to its error; their texts are in the arena
 * and outlive the restart. */
static size_t collect_kept(const struct response *response, struct pair kept[MAX_KEPT_HEADERS])
{
    size_t count = 0;
    for (size_t i = 0; i < response->head.headers.count && count < MAX_KEPT_HEADERS; i++)
        if (outlives_restart(response->head.headers.items[i].name))
            kept[count++] = response->head.headers.items[i];
    return count;
}

static enum hearth_error add_all(struct response *response, struct pairs headers)
{
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; i < headers.count && result == HEARTH_OK; i++)
        result = response_add_header(response, headers.items[i].name, headers.items[i].value);
    return result;
}

static enum hearth_error add_default(struct response *response, struct view name, struct view value)
{
    return response_has_header(response, name) ? HEARTH_OK
                                               : response_add_header(response, name, value);
}

static struct view retry_after(enum hearth_error code)
{
    /* A bulkhead is free again in a moment; what broke takes a little longer. */
    return code == HEARTH_BUSY ? VIEW("1") : VIEW("5");
}

static enum hearth_error build_head(struct response *response, enum hearth_error code, bool html)
{
    int status = error_http_status(code);
    enum hearth_error result = response_set_status(response, status);
    if (result == HEARTH_OK)
        result =
            add_default(response, VIEW("Content-Type"),
                        html ? VIEW("text/html; charset=utf-8") : VIEW("application/problem+json"));
    if (result == HEARTH_OK)
        result = add_default(response, VIEW("Cache-Control"), VIEW("no-store"));
    if (result == HEARTH_OK && html)
        result = add_default(response, VIEW("Content-Security-Policy"),
                             VIEW("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                  "form-action 'none'; frame-ancestors 'none'"));
    if (result == HEARTH_OK && status == 503)
        result = add_default(response, VIEW("Retry-After"), retry_after(code));
    if (result == HEARTH_OK && status == 401)
        result = add_default(response, VIEW("WWW-Authenticate"), VIEW("Bearer realm=\"hearth\""));
    return result;
}

/* ---- Without memory ---- */

static struct pair fixed_headers[] = {
    {{"Content-Type", 12}, {"application/problem+json", 24}},
    {{"Cache-Control", 13}, {"no-store", 8}},
    {{"Retry-After", 11}, {"5", 1}},
};

/* The head with nothing of the arena in it; for any error, since this one came first. */
static void build_fixed(struct response *response, struct view *body)
{
    *body = VIEW("{\"type\":\"about:blank\",\"title\":\"Out of memory\",\"status\":503}\n");
    response->head.status = error_http_status(HEARTH_NO_MEMORY);
    response->head.headers =
        (struct pairs){fixed_headers, sizeof fixed_headers / sizeof fixed_headers[0]};
    response->header_capacity = response->head.headers.count;
}

/* ---- Together ---- */

static enum hearth_error build(struct response *response, const struct request *request,
                               enum hearth_error code, bool html, struct pairs extra,
                               struct buffer *body)
{
    struct pair kept[MAX_KEPT_HEADERS];
    size_t kept_count = collect_kept(response, kept);
    enum hearth_error result = response_restart(response);
    if (result == HEARTH_OK)
        result = add_all(response, extra);
    for (size_t i = 0; i < kept_count && result == HEARTH_OK; i++)
        result = add_default(response, kept[i].name, kept[i].value);
    if (result == HEARTH_OK)
        result = build_head(response, code, html);
    if (html)
        build_page(body, request, code);
    else
        build_problem(body, request, code);
    return result == HEARTH_OK ? buffer_status(body) : result;
}

void response_error(struct response *response, const struct request *request,
                    enum hearth_error code, bool html, struct pairs extra)
{
    struct buffer buffer;
    if (response->head_sent || response->state == RESPONSE_FINISHED ||
        response->state == RESPONSE_ABORTED) {
        response_abort(response);
        return;
    }
    buffer_init(&buffer, ERROR_BODY_MAX_BYTES);
    enum hearth_error result = build(response, request, code, html, extra, &buffer);
    struct view body = buffer_view(&buffer);
    if (result != HEARTH_OK)
        build_fixed(response, &body);
    result = response_set_length(response, body.length);
    if (result == HEARTH_OK)
        result = response_write(response, body);
    if (result == HEARTH_OK)
        result = response_finish(response);
    if (result != HEARTH_OK)
        response_abort(response);
    buffer_clean(&buffer);
}
