/*
 * page_still.c - the last seven days as the server draws them, and a table of what each series said
 * last (the newest of its transmitters; a battery makes another one). Works without JavaScript;
 * times are in the station's zone.
 */
#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/page/page.h"
#include "handlers/sensor/record/scale.h"

#include <stdlib.h>

enum {
    MOST_SERIES = 4096,
    MOST_ROWS = 200,
    WINDOW_MS = 7 * 86400000,
    LEAST_WINDOW_MS = 3600000,
};

/* The newest reading of a series. */
struct newest {
    uint32_t index;
    struct reading reading;
};

struct still {
    struct buffer *html;
    const struct sensor *sensor;
    const struct request *request;
    const struct store_state *state;
    const struct series_names *names;
    struct chart chart;
    struct newest *newest; /* one a series, by index */
    size_t newest_count;
};

/* ---- Texts ---- */

void page_append_name(struct buffer *html, const struct series_names *names, uint32_t index)
{
    size_t named = series_names_count(names);
    if (index < named) {
        const struct named_series *series = series_names_get(names, index);
        buffer_append_html(html, view_of(series->name[0] ? series->name : series->id));
        return;
    }
    buffer_append_format(html, "Channel %zu, code %zu", (index - named) / 256 + 1,
                         (index - named) % 256);
}

/* "2025-09-14 02:39" */
static void append_local_time(struct still *still, int64_t time_ms)
{
    struct civil_time civil;
    civil_from_ms(time_zone_to_local_ms(still->sensor->station_zone, time_ms), &civil);
    buffer_append_format(still->html, "%04d-%02d-%02d %02d:%02d", civil.year, civil.month,
                         civil.day, civil.hour, civil.minute);
}

static void append_time_element(struct still *still, int64_t time_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(time_ms, text);
    buffer_append_format(still->html, "<time datetime=\"%s\">", text);
    append_local_time(still, time_ms);
    buffer_append_text(still->html, "</time>");
}

static void append_key(struct still *still, uint32_t index)
{
    int place = chart_find(&still->chart, index);
    if (place < 0)
        return;
    buffer_append_text(still->html, "<span class=\"key ");
    chart_append_classes(still->html, (size_t)place);
    buffer_append_text(still->html, "\"></span>");
}

/* ---- Charts ---- */

static void append_legend(struct still *still)
{
    buffer_append_text(still->html, "<ul class=\"legend\" aria-label=\"Lines\">\n");
    for (size_t i = 0; i < still->chart.series_count; i++) {
        uint32_t index = still->chart.series[i].index;
        buffer_append_text(still->html, "<li>");
        append_key(still, index);
        page_append_name(still->html, still->names, index);
        buffer_append_text(still->html, "</li>\n");
    }
    buffer_append_text(still->html, "</ul>\n");
    if (still->chart.left_out > 0)
        buffer_append_format(still->html, "<p>%zu more series are not drawn.</p>\n",
                             still->chart.left_out);
}

static void append_span(struct still *still)
{
    buffer_append_text(still->html, "<p class=\"soft\">");
    append_time_element(still, still->chart.edges_ms[0]);
    buffer_append_text(still->html, " to ");
    append_time_element(still, still->state->newest_ms);
    buffer_append_text(still->html, " <small>");
    buffer_append_html(still->html, view_of(still->sensor->station_zone_name));
    buffer_append_text(still->html, "</small></p>\n");
}

static void append_chart(struct still *still, enum quantity quantity, const char *title)
{
    size_t before = still->html->length;
    buffer_append_format(still->html, "<section class=\"card\">\n<h2>%s</h2>\n", title);
    if (chart_draw(&still->chart, quantity, still->html))
        buffer_append_text(still->html, "</section>\n");
    else
        still->html->length = before; /* nobody measures that */
}

/* ---- The table ---- */

static void append_degrees(struct still *still, int tenths, const char *unit)
{
    buffer_append_text(still->html,
                       tenths < 0 ? "<td class=\"number\">−" : "<td class=\"number\">");
    append_tenths(still->html, tenths < 0 ? -tenths : tenths);
    buffer_append_format(still->html, "\u00a0°%s</td>", unit);
}

static void append_measured(struct still *still, const struct reading *reading)
{
    struct buffer *html = still->html;
    if (reading->raw == RAW_ABSENT) {
        buffer_append_text(html, "<td class=\"number\">–</td><td class=\"number\">–</td>");
    } else {
        append_degrees(still, reading_tenths_f(reading), "F");
        append_degrees(still, reading_tenths_c(reading), "C");
    }
    if (reading->humidity == HUMIDITY_ABSENT)
        buffer_append_text(html, "<td class=\"number\">–</td>");
    else
        buffer_append_format(html, "<td class=\"number\">%d\u00a0%%</td>", reading->humidity);
}

static void append_radio(struct still *still, const struct reading *reading)
{
    buffer_append_text(still->html, reading->battery_low
                                        ? "<td class=\"warn\">low</td><td class=\"number\">"
                                        : "<td>ok</td><td class=\"number\">");
    if (reading->signal == 0)
        buffer_append_text(still->html, "–</td>");
    else
        buffer_append_format(still->html, "−%d\u00a0dB</td>", reading->signal);
}

static void append_row(struct still *still, const struct newest *newest)
{
    const struct reading *reading = &newest->reading;
    buffer_append_text(still->html, "<tr><th scope=\"row\">");
    append_key(still, newest->index);
    page_append_name(still->html, still->names, newest->index);
    buffer_append_text(still->html, "</th>");
    append_measured(still, reading);
    buffer_append_text(still->html, "<td>");
    append_time_element(still, reading->time_ms);
    buffer_append_text(still->html, "</td>");
    append_radio(still, reading);
    buffer_append_text(still->html, "</tr>\n");
}

static void append_table(struct still *still)
{
    buffer_append_text(
        still->html,
        "<section class=\"card\">\n<h2>Latest</h2>\n<div class=\"wide\" tabindex=\"0\" "
        "role=\"region\" aria-label=\"Latest reading of each series\">\n<table>\n"
        "<thead><tr><th scope=\"col\">Sensor</th>"
        "<th scope=\"col\" colspan=\"2\" class=\"number\">Temperature</th>"
        "<th scope=\"col\" class=\"number\">Humidity</th><th scope=\"col\">Last seen</th>"
        "<th scope=\"col\">Battery</th><th scope=\"col\" "
        "class=\"number\">Signal</th></tr></thead>\n<tbody>\n");
    size_t rows = still->newest_count < MOST_ROWS ? still->newest_count : MOST_ROWS;
    for (size_t i = 0; i < rows; i++)
        append_row(still, &still->newest[i]);
    buffer_append_text(still->html, "</tbody>\n</table>\n</div>\n");
    if (still->newest_count > rows)
        buffer_append_format(still->html,
                             "<p>%zu more series are not listed; <a href=\"/api/v1/latest\">"
                             "/api/v1/latest</a> has them all.</p>\n",
                             still->newest_count - rows);
    buffer_append_text(still->html, "</section>\n");
}

/* ---- Gathering ---- */

/* The chart begins with the first reading where there is less than a week of them. */
static enum hearth_error find_begin(struct still *still, int64_t *from_ms)
{
    struct reading_store *store = still->sensor->store;
    struct reading_series *series = arena_array(still->request->arena, MOST_SERIES, sizeof *series);
    int64_t first_ms = still->state->newest_ms - LEAST_WINDOW_MS;
    size_t count = 0;
    if (!series)
        return HEARTH_NO_MEMORY;
    enum hearth_error error =
        store->series(store, series, MOST_SERIES, &count, still->request->error);
    for (size_t i = 0; i < count; i++)
        if (series[i].first_ms < first_ms)
            first_ms = series[i].first_ms;
    *from_ms = still->state->newest_ms - WINDOW_MS;
    if (*from_ms < first_ms)
        *from_ms = first_ms;
    if (*from_ms < 0)
        *from_ms = 0;
    return error;
}

static enum hearth_error gather_buckets(struct still *still)
{
    struct reading_store *store = still->sensor->store;
    const struct bucket_query query = {
        .edges_ms = still->chart.edges_ms, .bucket_count = CHART_BUCKETS, .names = still->names};
    return store->aggregate(store, &query, chart_bucket, &still->chart, NULL,
                            still->request->error);
}

static int compare_newest(const void *left, const void *right)
{
    const struct newest *a = left, *b = right;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->reading.time_ms < b->reading.time_ms) - (a->reading.time_ms > b->reading.time_ms);
}

/* Of the latest of each transmitter, the newest of each series. */
static void take_newest(struct still *still, const struct latest_reading *latest, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct newest *newest = &still->newest[kept];
        if (record_decode(&latest[i].record, &newest->reading))
            continue;
        newest->index = series_names_find(still->names, newest->reading.channel,
                                          newest->reading.rolling_code, newest->reading.time_ms);
        kept++;
    }
    if (kept > 1)
        qsort(still->newest, kept, sizeof still->newest[0], compare_newest);
    for (size_t i = 0; i < kept; i++)
        if (i == 0 || still->newest[i].index != still->newest[i - 1].index)
            still->newest[still->newest_count++] = still->newest[i];
}

static enum hearth_error gather_newest(struct still *still)
{
    struct reading_store *store = still->sensor->store;
    struct arena *arena = still->request->arena;
    struct latest_reading *latest = arena_array(arena, MOST_SERIES, sizeof *latest);
    size_t count = 0;
    still->newest = arena_array(arena, MOST_SERIES, sizeof *still->newest);
    if (!latest || !still->newest)
        return HEARTH_NO_MEMORY;
    enum hearth_error error =
        store->latest(store, latest, MOST_SERIES, &count, still->request->error);
    if (!error)
        take_newest(still, latest, count);
    return error;
}

static enum hearth_error gather(struct still *still)
{
    int64_t from_ms = 0, to_ms = still->state->newest_ms + 1;
    enum hearth_error error = find_begin(still, &from_ms);
    if (!error && to_ms < from_ms + CHART_BUCKETS)
        to_ms = from_ms + CHART_BUCKETS; /* the store has one reading, of 1970 */
    if (!error)
        error = chart_init(&still->chart, still->request->arena, from_ms, to_ms,
                           still->sensor->station_zone, still->names);
    if (!error)
        error = gather_newest(still);
    return error ? error : gather_buckets(still);
}

enum hearth_error page_append_still(struct buffer *html, const struct sensor *sensor,
                                    const struct request *request, const struct store_state *state,
                                    const struct series_names *names)
{
    struct still still = {
        .html = html, .sensor = sensor, .request = request, .state = state, .names = names};
    enum hearth_error error = gather(&still);
    if (error)
        return error;
    chart_sort(&still.chart);
    append_span(&still);
    append_chart(&still, QUANTITY_TEMPERATURE, "Temperature");
    append_chart(&still, QUANTITY_HUMIDITY, "Humidity");
    append_legend(&still);
    append_table(&still);
    return buffer_status(html);
}
