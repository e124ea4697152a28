/*
 * figures.c - numbers as people read them.
 */
#include "app/cli/figures.h"

#include "hearth/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *figure_count(uint64_t count, char text[FIGURE_SIZE])
{
    char digits[FIGURE_SIZE];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

char *figure_bytes(uint64_t bytes, char text[FIGURE_SIZE])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000.0;
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(text, FIGURE_SIZE, "%" PRIu64 " B", bytes);
        return text;
    }
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, FIGURE_SIZE, "%.1f %s", value, units[unit]);
    return text;
}

char *figure_duration(int64_t ms, char text[FIGURE_SIZE])
{
    int64_t seconds = ms / 1000;
    if (seconds >= 86400)
        snprintf(text, FIGURE_SIZE, "%" PRId64 " day%s %" PRId64 " h", seconds / 86400,
                 seconds / 86400 == 1 ? "" : "s", seconds % 86400 / 3600);
    else if (seconds >= 3600)
        snprintf(text, FIGURE_SIZE, "%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
                 seconds % 3600 / 60, seconds % 60);
    else
        snprintf(text, FIGURE_SIZE, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
    return text;
}

char *figure_time(int64_t wall_ms, char text[FIGURE_SIZE])
{
    char whole[CLOCK_RFC3339_SIZE];
    if (wall_ms < 0) {
        snprintf(text, FIGURE_SIZE, "-");
        return text;
    }
    clock_format_rfc3339(wall_ms, whole);
    snprintf(text, FIGURE_SIZE, "%.10s %.8s", whole, whole + 11);
    return text;
}

char *figure_day(int32_t day, char text[FIGURE_SIZE])
{
    char whole[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339((int64_t)day * 86400000, whole);
    snprintf(text, FIGURE_SIZE, "%.10s", whole);
    return text;
}

void figure_json_time(struct buffer *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (wall_ms < 0) {
        buffer_append_format(out, ",\"%s\":null", name);
        return;
    }
    clock_format_rfc3339(wall_ms, text);
    buffer_append_format(out, ",\"%s\":\"%s\"", name, text);
}
