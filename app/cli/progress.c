/*
 * progress.c - the line that says how far a command has come.
 */
#include "app/cli/progress.h"

#include "app/cli/figures.h"
#include "hearth/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, BAR_COLUMNS = 90, LINE_BYTES = 256 };
#define DRAW_EVERY_NS INT64_C(100000000)

void progress_start(struct progress *progress, const char *verb, uint64_t total, bool bytes,
                    bool quiet)
{
    int64_t now_ns = clock_monotonic_ns(&clock_system);
    *progress = (struct progress){.shown = !quiet && isatty(STDERR_FILENO) == 1,
                                  .verb = verb,
                                  .total = total,
                                  .bytes = bytes,
                                  .start_ns = now_ns,
                                  .drawn_ns = now_ns - DRAW_EVERY_NS};
}

void progress_resume(struct progress *progress, uint64_t done)
{
    progress->start_done = done;
}

static unsigned columns(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : BAR_COLUMNS;
}

/* "[#####-----]  25 %"; without the bar where the terminal is narrow. */
static size_t put_share(char *line, uint64_t done, uint64_t total)
{
    char bar[BAR_WIDTH + 1];
    double share = done < total ? (double)done / (double)total : 1.0;
    size_t full = (size_t)(share * BAR_WIDTH);
    int percent = (int)(share * 100.0);
    memset(bar, '-', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = '\0';
    return (size_t)(columns() < BAR_COLUMNS
                        ? snprintf(line, LINE_BYTES, "%d %%", percent)
                        : snprintf(line, LINE_BYTES, "[%s] %3d %%", bar, percent));
}

static size_t put_total(const struct progress *progress, char *line, size_t size, uint64_t done)
{
    char now[FIGURE_SIZE], all[FIGURE_SIZE];
    if (!progress->bytes)
        return (size_t)snprintf(line, size, "  %s of %s", figure_count(done, now),
                                figure_count(progress->total, all));
    return (size_t)snprintf(line, size, "  %s of %s", figure_bytes(done, now),
                            figure_bytes(progress->total, all));
}

static void draw(const struct progress *progress, uint64_t done, uint64_t readings, double seconds)
{
    char line[LINE_BYTES], figure[FIGURE_SIZE];
    size_t at = 0;
    uint64_t fresh = done > progress->start_done ? done - progress->start_done : 0;
    if (progress->total > 0)
        at = put_share(line, done, progress->total);
    if (seconds > 0.5)
        at += (size_t)snprintf(line + at, sizeof line - at, "  %s/s",
                               figure_count((uint64_t)((double)readings / seconds), figure));
    if (progress->total > 0 && !progress->hide_total)
        at += put_total(progress, line + at, sizeof line - at, done);
    if (progress->total > done && fresh > 0 && seconds > 0.5) {
        double left = seconds / (double)fresh * (double)(progress->total - done);
        at += (size_t)snprintf(line + at, sizeof line - at, "  %s left",
                               figure_duration((int64_t)(left * 1000.0), figure));
    }
    line[at < sizeof line ? at : sizeof line - 1] = '\0';
    fprintf(stderr, "\r%s %s\033[K", progress->verb, line);
    fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t readings)
{
    if (!progress->shown)
        return;
    int64_t now_ns = clock_monotonic_ns(&clock_system);
    if (now_ns - progress->drawn_ns < DRAW_EVERY_NS)
        return;
    progress->drawn_ns = now_ns;
    draw(progress, done, readings, (double)(now_ns - progress->start_ns) / 1e9);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
