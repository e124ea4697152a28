/*
 * chart_svg.c - a chart as SVG that fits any width.
 *
 * The outer <svg> has no viewBox: its places are percentages and its text keeps its size, from a
 * phone to a wide screen. The lines lie in an inner <svg> that is stretched (viewBox 0 0 1000
 * 1000), with strokes that are not. Temperatures are drawn in degF with marks in degC on the other
 * side. Labels stand in front of the lines. A line breaks where there is no data. Colours are
 * classes; the style knows them.
 */
#include "handlers/sensor/page/chart.h"

#include "handlers/sensor/page/page.h"

enum {
    PLOT_PERCENT = 92, /* of the height; below it stand the times */
    WIDTH_UNITS = 100000,
    HOUR_MS = 3600000,
    MOST_MOMENTS = 7,
};

void append_tenths(struct buffer *out, int tenths)
{
    int size = tenths < 0 ? -tenths : tenths;
    buffer_append_format(out, "%s%d.%d", tenths < 0 ? "-" : "", size / 10, size % 10);
}

void chart_append_classes(struct buffer *out, size_t place)
{
    buffer_append_format(out, "s%zu%s", place % CHART_COLOURS,
                         place >= CHART_COLOURS ? " dashed" : "");
}

static int64_t begin_ms(const struct chart *chart)
{
    return chart->edges_ms[0];
}

static int64_t end_ms(const struct chart *chart)
{
    return chart->edges_ms[CHART_BUCKETS];
}

/* ---- The scale ---- */

struct axis {
    int low, high;  /* of what is drawn */
    int most_marks; /* a low chart has room for few */
};

struct marks {
    int first, step;
};

/* U+2212, as wide as a digit. */
#define MINUS "\u2212"

static int floor_to(int value, int step)
{
    int rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

/* Round steps, few enough to read. */
static struct marks marks_for(int low, int high, int most)
{
    static const int steps[] = {5, 10, 20, 50, 100, 200, 500, 1000, 2000};
    size_t i = 0;
    while (i + 1 < sizeof steps / sizeof steps[0] && (high - low) / steps[i] > most)
        i++;
    int first = floor_to(low, steps[i]);
    return (struct marks){first < low ? first + steps[i] : first, steps[i]};
}

static bool find_axis(const struct chart *chart, enum quantity quantity, struct axis *axis)
{
    bool any = false;
    for (size_t i = 0; i < chart->series_count; i++) {
        const struct chart_point *points = chart->series[i].points[quantity];
        for (size_t b = 0; b < CHART_BUCKETS; b++) {
            if (points[b].least_at == 0)
                continue;
            axis->low = any && axis->low < points[b].least ? axis->low : points[b].least;
            axis->high = any && axis->high > points[b].greatest ? axis->high : points[b].greatest;
            any = true;
        }
    }
    if (!any)
        return false;
    int step = marks_for(axis->low, axis->high, axis->most_marks).step / 2;
    axis->low = floor_to(axis->low, step);
    axis->high = floor_to(axis->high + step - 1, step);
    if (axis->high == axis->low)
        axis->high += step;
    return true;
}

/* Thousandths of the plot's height from its top. */
static int place_of(const struct axis *axis, int value)
{
    return (int)((int64_t)(axis->high - value) * 1000 / (axis->high - axis->low));
}

/* ---- Marks ---- */

static void append_y(struct buffer *out, const struct axis *axis, int value)
{
    append_tenths(out, place_of(axis, value) * PLOT_PERCENT / 100);
    buffer_append_text(out, "%");
}

static void draw_line(struct buffer *out, const struct axis *axis, int value)
{
    buffer_append_text(out, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"");
    append_y(out, axis, value);
    buffer_append_text(out, "\" y2=\"");
    append_y(out, axis, value);
    buffer_append_text(out, "\"/>\n");
}

/* Labels stand on their line, the topmost one under it. */
static void draw_label(struct buffer *out, const struct axis *axis, int value, bool at_right)
{
    buffer_append_text(out, at_right ? "<text class=\"mark\" x=\"100%\" dx=\"-4\" "
                                       "text-anchor=\"end\" y=\""
                                     : "<text class=\"mark\" x=\"4\" y=\"");
    append_y(out, axis, value);
    buffer_append_format(out, "\" dy=\"%d\">", place_of(axis, value) < 60 ? 13 : -4);
}

static void draw_degrees(struct buffer *out, int tenths, int step, const char *unit)
{
    if (tenths < 0)
        buffer_append_text(out, MINUS);
    tenths = tenths < 0 ? -tenths : tenths;
    if (step % 10 != 0)
        append_tenths(out, tenths);
    else
        buffer_append_int64(out, tenths / 10);
    buffer_append_format(out, "\u00a0\u00b0%s</text>\n", unit);
}

static int to_tenths_f(int tenths_c)
{
    return tenths_c * 9 / 5 + 320;
}

static int to_tenths_c(int tenths_f)
{
    return (tenths_f - 320) * 5 / 9;
}

static void draw_grid(struct buffer *out, const struct axis *axis)
{
    struct marks marks = marks_for(axis->low, axis->high, axis->most_marks);
    for (int value = marks.first; value <= axis->high; value += marks.step)
        draw_line(out, axis, value);
}

static void draw_temperature_labels(struct buffer *out, const struct axis *axis)
{
    struct marks marks = marks_for(axis->low, axis->high, axis->most_marks);
    for (int value = marks.first; value <= axis->high; value += marks.step) {
        draw_label(out, axis, value, false);
        draw_degrees(out, value, marks.step, "F");
    }
    marks = marks_for(to_tenths_c(axis->low), to_tenths_c(axis->high), axis->most_marks);
    for (int value = marks.first; to_tenths_f(value) <= axis->high; value += marks.step) {
        if (to_tenths_f(value) < axis->low)
            continue;
        draw_label(out, axis, to_tenths_f(value), true);
        draw_degrees(out, value, marks.step, "C");
    }
}

static void draw_humidity_labels(struct buffer *out, const struct axis *axis)
{
    struct marks marks = marks_for(axis->low, axis->high, axis->most_marks);
    for (int value = marks.first; value <= axis->high; value += marks.step) {
        draw_label(out, axis, value, false);
        buffer_append_format(out, "%d\u00a0%%</text>\n", value);
    }
}

static void append_x(struct buffer *out, const struct chart *chart, int64_t time_ms)
{
    append_tenths(out,
                  (int)((time_ms - begin_ms(chart)) * 1000 / (end_ms(chart) - begin_ms(chart))));
    buffer_append_text(out, "%");
}

/* A line at a moment, and its name: of the day at midnight, else of the hour. */
static void draw_moment(struct buffer *out, const struct chart *chart, int64_t at_ms,
                        const struct civil_time *local, int64_t step_ms)
{
    static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    buffer_append_text(out, "<line class=\"day\" y1=\"0\" y2=\"100%\" x1=\"");
    append_x(out, chart, at_ms);
    buffer_append_text(out, "\" x2=\"");
    append_x(out, chart, at_ms);
    buffer_append_text(out, "\"/>\n");
    if (end_ms(chart) - at_ms < step_ms * 3 / 4)
        return; /* no room for the name */
    buffer_append_text(out, "<text class=\"mark\" y=\"100%\" dy=\"-6\" dx=\"4\" x=\"");
    append_x(out, chart, at_ms);
    if (local->hour == 0)
        buffer_append_format(out, "\">%s<tspan class=\"date\"> %d</tspan></text>\n",
                             names[local->weekday], local->day);
    else
        buffer_append_format(out, "\">%02d:00</text>\n", local->hour);
}

/* Days where there are several, else hours. */
static int hours_between(const struct chart *chart)
{
    static const int steps[] = {1, 2, 3, 6, 12};
    int64_t hours = (end_ms(chart) - begin_ms(chart)) / HOUR_MS;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (hours / steps[i] < MOST_MOMENTS)
            return steps[i];
    return 24;
}

/* By local time, so also right on days of 23 and 25 hours. */
static void draw_moments(struct buffer *out, const struct chart *chart)
{
    struct civil_time local;
    int hours = hours_between(chart);
    civil_from_ms(time_zone_to_local_ms(chart->zone, begin_ms(chart)), &local);
    local = (struct civil_time){.year = local.year, .month = local.month, .day = local.day};
    for (;;) {
        int64_t local_ms = civil_to_ms(&local);
        int64_t at_ms = time_zone_to_utc_ms(chart->zone, local_ms);
        civil_from_ms(local_ms, &local);
        if (at_ms >= end_ms(chart))
            return;
        if (at_ms > begin_ms(chart))
            draw_moment(out, chart, at_ms, &local, (int64_t)hours * HOUR_MS);
        local.hour += hours;
    }
}

/* ---- Lines ---- */

struct pen {
    struct buffer *out;
    const struct axis *axis;
    bool down;
};

static void draw_point(struct pen *pen, uint32_t at, int value)
{
    buffer_append_byte(pen->out, pen->down ? 'L' : 'M');
    append_tenths(pen->out, (int)((at - 1) / (WIDTH_UNITS / 10000)));
    buffer_append_byte(pen->out, ' ');
    buffer_append_int64(pen->out, place_of(pen->axis, value));
    if (!pen->down)
        buffer_append_text(pen->out, "h0"); /* a point alone is a dot */
    pen->down = true;
}

static void draw_bucket(struct pen *pen, const struct chart_point *point)
{
    bool least_first = point->least_at <= point->greatest_at;
    if (least_first)
        draw_point(pen, point->least_at, point->least);
    if (point->least_at != point->greatest_at || point->least != point->greatest)
        draw_point(pen, point->greatest_at, point->greatest);
    if (!least_first)
        draw_point(pen, point->least_at, point->least);
}

static void draw_series(struct buffer *out, const struct chart *chart, size_t place,
                        enum quantity quantity, const struct axis *axis)
{
    const struct chart_point *points = chart->series[place].points[quantity];
    struct pen pen = {out, axis, false};
    buffer_append_text(out, "<path class=\"line ");
    chart_append_classes(out, place);
    buffer_append_text(out, "\" d=\"");
    for (size_t i = 0; i < CHART_BUCKETS; i++) {
        if (points[i].least_at > 0)
            draw_bucket(&pen, &points[i]);
        else
            pen.down = false;
    }
    buffer_append_text(out, "\"><title>");
    page_append_name(out, chart->names, chart->series[place].index);
    buffer_append_text(out, "</title></path>\n");
}

static void draw_plot(struct buffer *out, const struct chart *chart, enum quantity quantity,
                      const struct axis *axis)
{
    buffer_append_format(out,
                         "<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" "
                         "width=\"100%%\" height=\"%d%%\">\n",
                         PLOT_PERCENT);
    for (size_t i = 0; i < chart->series_count; i++)
        draw_series(out, chart, i, quantity, axis);
    buffer_append_text(out, "</svg>\n");
}

bool chart_draw(const struct chart *chart, enum quantity quantity, struct buffer *out)
{
    bool temperature = quantity == QUANTITY_TEMPERATURE;
    struct axis axis = {.most_marks = temperature ? 6 : 4};
    if (!find_axis(chart, quantity, &axis))
        return false;
    buffer_append_format(out, "<svg class=\"chart %s\" role=\"img\" aria-label=\"%s\">\n",
                         temperature ? "temperature" : "humidity",
                         temperature ? "Temperature of each series over time"
                                     : "Humidity of each series over time");
    draw_grid(out, &axis);
    draw_moments(out, chart);
    draw_plot(out, chart, quantity, &axis);
    if (temperature)
        draw_temperature_labels(out, &axis);
    else
        draw_humidity_labels(out, &axis);
    buffer_append_text(out, "</svg>\n");
    return true;
}
