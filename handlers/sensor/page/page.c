/*
 * page.c - GET /temp: the dashboard, and what the server draws for who has no JavaScript.
 *
 * The page is the frame that static/temp/main.js fills. In its <noscript>, or for `?plain=1` in
 * place of the frame, stand the last seven days as drawn here. It asks no other host for anything
 * and runs no script but its own files. What it shows depends on the store, the names of the series
 * and the configuration alone, and so does its ETag.
 */
#include "handlers/sensor/page/page.h"

#include "handlers/sensor/query/range_answer.h"

enum { PAGE_BYTES = 2 << 20 }; /* 24 lines in two charts and 200 rows are at most 600 KB */

struct page {
    const struct sensor *sensor;
    const struct request *request;
    struct response *response;
    struct store_state state;
    struct series_names *names;
    bool script;
    struct buffer html;
};

static const char policy[] = "default-src 'none'; script-src 'self'; connect-src 'self'; "
                             "style-src 'self'; img-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

static enum hearth_error append_still(struct page *page)
{
    return page_append_still(&page->html, page->sensor, page->request, &page->state, page->names);
}

static enum hearth_error build(struct page *page)
{
    struct buffer *html = &page->html;
    bool empty = page->state.newest_ms < 0;
    enum hearth_error error = HEARTH_OK;
    page_append_head(html, page->sensor, page->script);
    if (page->script) {
        page_append_dashboard(html);
        buffer_append_text(html, "<noscript id=\"still\">\n");
    }
    if (!empty)
        error = append_still(page);
    if (page->script)
        buffer_append_text(html, "</noscript>\n");
    page_append_empty(html, page->request, empty);
    page_append_foot(html, page->script);
    return error ? error : buffer_status(html);
}

static struct view page_etag(const struct page *page)
{
    const struct sensor *sensor = page->sensor;
    const char *question =
        arena_format(page->request->arena, "page %s %s %d %.*s %.*s %s", HEARTH_VERSION,
                     sensor->station_zone_name, page->script, VIEW_ARGUMENTS(page->request->scheme),
                     VIEW_ARGUMENTS(page->request->host), sensor->station_name);
    return question
               ? query_etag(sensor, page->request, &page->state, page->names, view_of(question))
               : VIEW_NONE;
}

static enum hearth_error answer(struct page *page)
{
    struct view etag = page_etag(page), type = VIEW("text/html; charset=utf-8");
    bool answered = false;
    enum hearth_error error =
        response_set_header(page->response, VIEW("Content-Security-Policy"), view_of(policy));
    if (!error)
        error = range_answer_head(page->request, page->response, etag, type, &answered);
    if (error || answered)
        return error;
    buffer_init(&page->html, PAGE_BYTES);
    error = build(page);
    /* Readings may have come meanwhile: then the ETag is not that of the content. */
    if (!error)
        error =
            range_answer_recheck(page->sensor, page->request, page->response, &page->state, etag);
    if (!error)
        error = response_send(page->response, 200, type, buffer_view(&page->html));
    buffer_clean(&page->html);
    return error;
}

enum hearth_error sensor_page(const struct request *request, struct response *response, void *state)
{
    struct page page = {.sensor = state, .request = request, .response = response};
    bool with_private;
    enum hearth_error error = sensor_allow_reading(page.sensor, request, response, &with_private);
    if (!error)
        error = sensor_state(page.sensor, request, &page.state);
    if (error)
        return error;
    page.script = request_query(request, "plain").length == 0;
    page.names = series_book_get(page.sensor->book);
    if (!page.names)
        return request_fail_internal(request, HEARTH_NO_MEMORY, 0, "series names");
    error = answer(&page);
    series_names_free(page.names);
    return error;
}
