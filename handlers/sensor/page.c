/*
 * page.c - GET /temp: the readings of the last seven days, drawn by the server.
 *
 * Works without JavaScript and asks no other host for anything. The page depends on the store and
 * the configuration alone, so its ETag is made of them; times are in the station's zone.
 */
#include "handlers/sensor/chart.h"
#include "handlers/sensor/range_answer.h"
#include "handlers/sensor/scale.h"

enum {
    PAGE_BYTES = 8 << 20, /* 4,096 series in the table are 2 MB, 64 lines in two charts 1 MB */
    MOST_SERIES = 4096,
    WINDOW_MS = 7 * 86400000,
    LEAST_WINDOW_MS = 3600000,
};

struct page {
    const struct sensor *sensor;
    const struct request *request;
    struct store_state state;
    struct chart chart;
    struct latest_reading *latest;
    size_t latest_count;
    struct buffer html;
};

/* ---- Texts ---- */

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>Temperatures - Hearth</title>\n"
    "<link rel=\"icon\" href=\"/static/favicon.svg\" type=\"image/svg+xml\">\n"
    "<link rel=\"stylesheet\" href=\"/static/style.css\">\n"
    "<link rel=\"stylesheet\" href=\"/static/temp.css\">\n"
    "</head>\n"
    "<body class=\"readings\">\n"
    "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
    "<header class=\"site\">\n"
    "<a class=\"name\" href=\"/\"><img src=\"/static/favicon.svg\" alt=\"\" width=\"32\" "
    "height=\"32\">Hearth</a>\n"
    "<nav aria-label=\"Site\">\n<ul>\n"
    "<li><a href=\"/\">Home</a></li>\n"
    "<li><a href=\"/temp\" aria-current=\"page\">Temperatures</a></li>\n"
    "<li><a href=\"/about\">About</a></li>\n"
    "</ul>\n</nav>\n"
    "</header>\n"
    "<main id=\"main\" tabindex=\"-1\">\n"
    "<h1>Temperatures</h1>\n";
static const char foot[] = "</main>\n"
                           "<footer class=\"foot\">\n"
                           "<p>Also <a href=\"/temp/data\">as JSON</a> and, all of it, "
                           "<a href=\"/api/v1/export.bin\">as records</a>.</p>\n"
                           "</footer>\n</body>\n</html>\n";

static const char policy[] = "default-src 'none'; style-src 'self'; img-src 'self'; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* "2025-09-14 02:39" */
static void append_local_time(struct page *page, int64_t time_ms)
{
    struct civil_time civil;
    civil_from_ms(time_zone_to_local_ms(page->sensor->station_zone, time_ms), &civil);
    buffer_append_format(&page->html, "%04d-%02d-%02d %02d:%02d", civil.year, civil.month,
                         civil.day, civil.hour, civil.minute);
}

static void append_time_element(struct page *page, int64_t time_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(time_ms, text);
    buffer_append_format(&page->html, "<time datetime=\"%s\">", text);
    append_local_time(page, time_ms);
    buffer_append_text(&page->html, "</time>");
}

static void append_key(struct page *page, int channel, int rolling_code)
{
    int place = chart_find(&page->chart, channel, rolling_code);
    if (place >= 0)
        buffer_append_format(&page->html, "<span class=\"key s%d\"></span>", place % CHART_COLOURS);
}

/* ---- Charts ---- */

static void append_legend(struct page *page)
{
    buffer_append_text(&page->html, "<ul class=\"legend\" aria-label=\"Lines\">\n");
    for (size_t i = 0; i < page->chart.series_count; i++) {
        const struct chart_series *series = &page->chart.series[i];
        buffer_append_text(&page->html, "<li>");
        append_key(page, series->channel, series->rolling_code);
        buffer_append_format(&page->html, "Channel %d <small>code %d</small></li>\n",
                             series->channel, series->rolling_code);
    }
    buffer_append_text(&page->html, "</ul>\n");
    if (page->chart.left_out > 0)
        buffer_append_format(&page->html, "<p>%zu more series are not drawn.</p>\n",
                             page->chart.left_out);
}

static void append_span(struct page *page)
{
    buffer_append_text(&page->html, "<p class=\"span\">");
    append_time_element(page, page->chart.from_ms);
    buffer_append_text(&page->html, " to ");
    append_time_element(page, page->state.newest_ms);
    buffer_append_text(&page->html, " <small>");
    buffer_append_html(&page->html, view_of(page->sensor->station_zone_name));
    buffer_append_text(&page->html, "</small></p>\n");
}

static void append_chart(struct page *page, enum chart_quantity quantity, const char *title)
{
    size_t before = page->html.length;
    buffer_append_format(&page->html, "<section>\n<h2>%s</h2>\n", title);
    if (chart_draw(&page->chart, quantity, &page->html))
        buffer_append_text(&page->html, "</section>\n");
    else
        page->html.length = before; /* nobody measures that */
}

/* ---- The table ---- */

static void append_degrees(struct page *page, int tenths, const char *unit)
{
    buffer_append_text(&page->html,
                       tenths < 0 ? "<td class=\"number\">−" : "<td class=\"number\">");
    append_tenths(&page->html, tenths < 0 ? -tenths : tenths);
    buffer_append_format(&page->html, "\u00a0°%s</td>", unit);
}

static void append_measured(struct page *page, const struct reading *reading)
{
    struct buffer *html = &page->html;
    if (reading->raw == RAW_ABSENT) {
        buffer_append_text(html, "<td class=\"number\">–</td><td class=\"number\">–</td>");
    } else {
        append_degrees(page, reading_tenths_f(reading), "F");
        append_degrees(page, reading_tenths_c(reading), "C");
    }
    if (reading->humidity == HUMIDITY_ABSENT)
        buffer_append_text(html, "<td class=\"number\">–</td>");
    else
        buffer_append_format(html, "<td class=\"number\">%d\u00a0%%</td>", reading->humidity);
}

static void append_radio(struct page *page, const struct reading *reading)
{
    buffer_append_text(&page->html, reading->battery_low
                                        ? "<td class=\"low\">low</td><td class=\"number\">"
                                        : "<td>ok</td><td class=\"number\">");
    if (reading->signal == 0)
        buffer_append_text(&page->html, "–</td>");
    else
        buffer_append_format(&page->html, "−%d\u00a0dB</td>", reading->signal);
}

static void append_row(struct page *page, const struct latest_reading *latest)
{
    struct reading reading;
    if (record_decode(&latest->record, &reading))
        return;
    buffer_append_text(&page->html, "<tr><th scope=\"row\">");
    append_key(page, reading.channel, reading.rolling_code);
    buffer_append_format(&page->html, "%d <small>code %d</small></th>", reading.channel,
                         reading.rolling_code);
    append_measured(page, &reading);
    buffer_append_text(&page->html, "<td>");
    append_time_element(page, reading.time_ms);
    buffer_append_text(&page->html, "</td>");
    append_radio(page, &reading);
    buffer_append_format(&page->html, "<td class=\"number\">%llu</td></tr>\n",
                         (unsigned long long)latest->count);
}

static void append_table(struct page *page)
{
    buffer_append_text(
        &page->html,
        "<section>\n<h2>Latest</h2>\n<div class=\"wide\" tabindex=\"0\" "
        "role=\"region\" aria-label=\"Latest reading of each series\">\n<table>\n"
        "<thead><tr><th scope=\"col\">Channel</th>"
        "<th scope=\"col\" colspan=\"2\" class=\"number\">Temperature</th>"
        "<th scope=\"col\" class=\"number\">Humidity</th><th scope=\"col\">Last seen</th>"
        "<th scope=\"col\">Battery</th><th scope=\"col\" class=\"number\">Signal</th>"
        "<th scope=\"col\" class=\"number\">Readings</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < page->latest_count; i++)
        append_row(page, &page->latest[i]);
    buffer_append_text(&page->html, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void append_empty(struct page *page)
{
    const struct request *request = page->request;
    struct view host = request->host.length > 0 ? request->host : VIEW("localhost");
    buffer_append_text(
        &page->html,
        "<p>There is no reading to show yet. This sends a first one; <code>hearth token new --name "
        "station --scope data:write</code> makes the token.</p>\n<pre><code>curl -X PUT ");
    buffer_append_html(&page->html, request->scheme);
    buffer_append_text(&page->html, "://");
    buffer_append_html(&page->html, host);
    buffer_append_text(&page->html, "/data -H &quot;Authorization: Bearer $TOKEN&quot; \\\n"
                                    "  -d '{&quot;channel&quot;:1,&quot;rolling_code&quot;:107,"
                                    "&quot;temperature_F&quot;:74.4,&quot;humidity&quot;:35}'"
                                    "</code></pre>\n");
}

/* ---- The page ---- */

/* The chart begins with the first reading where there is less than a week of them. */
static enum hearth_error find_begin(struct page *page, int64_t *from_ms)
{
    struct reading_store *store = page->sensor->store;
    struct reading_series *series = arena_array(page->request->arena, MOST_SERIES, sizeof *series);
    int64_t first_ms = page->state.newest_ms - LEAST_WINDOW_MS;
    size_t count = 0;
    if (!series)
        return HEARTH_NO_MEMORY;
    enum hearth_error error =
        store->series(store, series, MOST_SERIES, &count, page->request->error);
    for (size_t i = 0; i < count; i++)
        if (series[i].first_ms < first_ms)
            first_ms = series[i].first_ms;
    *from_ms = page->state.newest_ms - WINDOW_MS;
    if (*from_ms < first_ms)
        *from_ms = first_ms;
    if (*from_ms < 0)
        *from_ms = 0;
    return error;
}

static enum hearth_error gather(struct page *page)
{
    struct reading_store *store = page->sensor->store;
    const struct request *request = page->request;
    int64_t from_ms = 0, to_ms = page->state.newest_ms + 1;
    page->latest = arena_array(request->arena, MOST_SERIES, sizeof *page->latest);
    enum hearth_error error = page->latest ? HEARTH_OK : HEARTH_NO_MEMORY;
    if (!error)
        error = find_begin(page, &from_ms);
    if (!error)
        error =
            chart_init(&page->chart, request->arena, from_ms, to_ms, page->sensor->station_zone);
    if (!error)
        error =
            store->latest(store, page->latest, MOST_SERIES, &page->latest_count, request->error);
    if (!error) {
        const struct reading_range range = {from_ms, to_ms, 0, -1, false};
        error = store->range(store, &range, chart_add, &page->chart, request->error);
    }
    if (!error)
        chart_sort(&page->chart);
    return error;
}

static enum hearth_error build(struct page *page)
{
    buffer_append_text(&page->html, head);
    if (page->state.newest_ms < 0) {
        append_empty(page);
    } else {
        enum hearth_error error = gather(page);
        if (error)
            return error;
        append_span(page);
        append_chart(page, CHART_TEMPERATURE, "Temperature");
        append_chart(page, CHART_HUMIDITY, "Humidity");
        append_legend(page);
        append_table(page);
    }
    buffer_append_text(&page->html, foot);
    return buffer_status(&page->html);
}

static struct view page_etag(const struct page *page)
{
    const struct sensor_span none = {0, 0, false, false};
    const char *kind = arena_format(page->request->arena, "page-%s-%s", HEARTH_VERSION,
                                    page->sensor->station_zone_name);
    return kind ? range_answer_etag(page->request, kind, &page->state, &none) : VIEW_NONE;
}

/* `*answered`: a 304 or the like was the answer. */
static enum hearth_error negotiate(const struct page *page, struct view etag,
                                   struct response *response, bool *answered)
{
    enum condition_outcome outcome;
    struct byte_range unused;
    const struct representation representation = {
        .etag = etag, .last_modified_ms = -1, .size_bytes = -1};
    enum hearth_error error =
        response_negotiate(response, page->request, &representation, &outcome, &unused);
    *answered = outcome != CONDITION_SEND;
    return error;
}

/* Readings may have come while the page was built: then the ETag is not that of its content. */
static enum hearth_error send(struct page *page, struct view etag, struct response *response)
{
    struct store_state now;
    enum hearth_error error = sensor_state(page->sensor, page->request, &now);
    if (!error && now.generation != page->state.generation)
        error = range_answer_weaken(page->request, response, etag);
    if (!error)
        error = response_set_header(response, VIEW("Content-Security-Policy"), view_of(policy));
    if (error)
        return error;
    return response_send(response, 200, VIEW("text/html; charset=utf-8"), buffer_view(&page->html));
}

enum hearth_error sensor_page(const struct request *request, struct response *response, void *state)
{
    struct page page = {.sensor = state, .request = request};
    struct view etag = VIEW_NONE;
    bool with_private, answered = false;
    enum hearth_error error = sensor_allow_reading(page.sensor, request, response, &with_private);
    if (!error)
        error = sensor_state(page.sensor, request, &page.state);
    if (!error) {
        etag = page_etag(&page);
        error = negotiate(&page, etag, response, &answered);
    }
    if (error || answered)
        return error;
    buffer_init(&page.html, PAGE_BYTES);
    error = build(&page);
    if (!error)
        error = send(&page, etag, response);
    buffer_clean(&page.html);
    return error;
}
