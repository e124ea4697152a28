/*
 * log.c - one line an event, one write(2) a line.
 *
 * A line is made in a buffer on the stack, so that logging neither allocates nor takes a lock, and
 * goes out in a single write: the kernel then keeps lines of several threads and processes apart
 * (on a file opened to append always; on a pipe up to its atomic size, and beyond it as long as the
 * reader keeps up). A line that does not fit is made again with shorter texts, halved until it
 * fits, so that the fields behind a long one survive; only when texts of a few bytes are still too
 * long are the last fields left out.
 *
 * The descriptor's number never changes while threads run: reopening puts the new file under the
 * same number with dup3, so a writer uses either file and never a closed one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/json_text.h"
#include "app/core/number_text.h"
#include "app/core/utf8.h"
#include "hearth/limits.h"
#include "hearth/telemetry.h"

enum {
    LINE_END_BYTES = sizeof ",\"cut\":true}\n" - 1, /* the longest end of a line */
    SHORTEST_TEXT_BYTES = 16,
    FILE_MODE = 0640, /* a log may be read by a group, never by all */
};

/* Set by log_configure, before threads; `level` alone is read without order. */
static struct {
    _Atomic int level;
    enum log_format format;
    int descriptor;
    bool colour;
    char *file; /* NULL = standard error */
    const struct clock *clock;
} state = {.level = LOG_LEVEL_INFO,
           .format = LOG_FORMAT_JSON,
           .descriptor = STDERR_FILENO,
           .clock = &clock_system};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_titles[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const level_colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

/* ---- Configuration ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, FILE_MODE);
}

enum hearth_error log_configure(const struct log_options *options)
{
    bool to_file = options->file && options->file[0];
    int descriptor = STDERR_FILENO;
    char *file = NULL;
    if (to_file) {
        file = strdup(options->file);
        if (!file)
            return HEARTH_NO_MEMORY;
        descriptor = open_file(file);
        if (descriptor < 0) {
            const int number = errno; /* for the caller to tell */
            free(file);
            errno = number;
            return HEARTH_IO;
        }
    }
    if (state.file) {
        close(state.descriptor);
        free(state.file);
    }
    atomic_store(&state.level, (int)options->level);
    state.format = options->format;
    state.descriptor = descriptor;
    state.colour = isatty(descriptor) == 1;
    state.file = file;
    state.clock = options->clock ? options->clock : &clock_system;
    return HEARTH_OK;
}

void log_reopen(void)
{
    if (!state.file)
        return;
    int fresh = open_file(state.file);
    bool moved = fresh >= 0 && dup3(fresh, state.descriptor, O_CLOEXEC) >= 0;
    int number = errno;
    if (fresh >= 0)
        close(fresh);
    if (!moved)
        LOG_ERROR("log_reopen_failed", LOG_TEXT("file", state.file),
                  LOG_TEXT("reason", strerror(number)));
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed) &&
           level < LOG_LEVEL_OFF;
}

/* ---- A line ---- */

struct line {
    size_t length;
    size_t max_text_bytes; /* a longer text is cut */
    bool full;             /* something did not fit: what was put since the last mark is broken */
    bool cut;              /* something was left out */
    char text[LIMIT_LOG_LINE];
};

static void put(struct line *line, struct view part)
{
    size_t room = sizeof line->text - LINE_END_BYTES - line->length;
    if (line->full || part.length > room) {
        line->full = true;
        return;
    }
    if (part.length > 0)
        memcpy(line->text + line->length, part.data, part.length);
    line->length += part.length;
}

static void put_text(struct line *line, const char *text)
{
    put(line, view_of(text));
}

static void put_integer(struct line *line, int64_t number)
{
    char text[NUMBER_TEXT_SIZE];
    put(line, view_from(text, integer_text(number, text)));
}

static void put_number(struct line *line, double number)
{
    char text[NUMBER_TEXT_SIZE];
    if (isfinite(number))
        put(line, view_from(text, number_text(number, text)));
    else
        put(line, VIEW("null"));
}

static struct view shortened(struct line *line, struct view text)
{
    struct view cut = utf8_cut(text, line->max_text_bytes);
    if (cut.length < text.length)
        line->cut = true;
    return cut;
}

static void put_quoted(struct line *line, struct view text)
{
    put(line, VIEW("\""));
    while (text.length > 0 && !line->full) {
        char escape[JSON_ESCAPE_SIZE];
        put(line, json_plain(&text));
        if (text.length > 0)
            put(line, json_escape(&text, escape));
    }
    put(line, VIEW("\""));
}

/* For people: quotes only where the value would otherwise be misread. */
static void put_bare(struct line *line, struct view text)
{
    struct view rest = text, plain = json_plain(&rest);
    if (rest.length > 0 || view_index_of(plain, ' ') != SIZE_MAX ||
        view_index_of(plain, '=') != SIZE_MAX)
        put_quoted(line, text);
    else
        put(line, plain);
}

static void put_value(struct line *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        if (state.format == LOG_FORMAT_JSON)
            put_quoted(line, shortened(line, field->text));
        else
            put_bare(line, shortened(line, field->text));
        break;
    case LOG_FIELD_INTEGER:
        put_integer(line, field->integer);
        break;
    case LOG_FIELD_NUMBER:
        put_number(line, field->number);
        break;
    case LOG_FIELD_BOOLEAN:
        put(line, field->integer ? VIEW("true") : VIEW("false"));
        break;
    }
}

static void put_field(struct line *line, const struct log_field *field)
{
    if (state.format == LOG_FORMAT_JSON) {
        put(line, VIEW(",\""));
        put_text(line, field->key);
        put(line, VIEW("\":"));
    } else {
        put(line, VIEW(" "));
        put_text(line, field->key);
        put(line, VIEW("="));
    }
    put_value(line, field);
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(state.clock), time);
    if (state.format == LOG_FORMAT_JSON) {
        put(line, VIEW("{\"time\":\""));
        put_text(line, time);
        put(line, VIEW("\",\"level\":\""));
        put_text(line, level_names[level]);
        put(line, VIEW("\",\"event\":"));
        put_quoted(line, shortened(line, view_of(event)));
        put(line, VIEW(",\"pid\":"));
        put_integer(line, getpid());
    } else {
        put_text(line, time);
        put(line, VIEW(" "));
        put_text(line, state.colour ? level_colours[level] : "");
        put_text(line, level_titles[level]);
        put(line, state.colour ? VIEW("\033[0m ") : VIEW(" "));
        put(line, shortened(line, view_of(event)));
    }
}

static struct view line_end(bool cut)
{
    if (state.format == LOG_FORMAT_JSON)
        return cut ? VIEW(",\"cut\":true}\n") : VIEW("}\n");
    return cut ? VIEW(" cut=true\n") : VIEW("\n");
}

/* Into the room that put() leaves. */
static void put_end(struct line *line)
{
    struct view end = line_end(line->cut);
    memcpy(line->text + line->length, end.data, end.length);
    line->length += end.length;
}

/* Makes the whole line with texts of at most `max_text_bytes`. When a field does not fit, the line
 * ends before it, and false comes back. */
static bool make_line(struct line *line, size_t max_text_bytes, enum log_level level,
                      const char *event, const struct log_field *fields, size_t count)
{
    line->length = 0;
    line->max_text_bytes = max_text_bytes;
    line->full = line->cut = false;
    put_head(line, level, event);
    for (size_t i = 0; i < count && !line->full; i++) {
        size_t mark = line->length;
        if (fields[i].type == LOG_FIELD_TEXT && fields[i].text.length == 0)
            continue;
        put_field(line, &fields[i]);
        if (line->full) {
            line->length = mark;
            line->cut = true;
        }
    }
    put_end(line);
    return !line->full;
}

/* What a peer does not take is dropped: a log must not stop the program. */
static void write_line(const struct line *line)
{
    size_t done = 0;
    while (done < line->length) {
        ssize_t written = write(state.descriptor, line->text + done, line->length - done);
        if (written > 0)
            done += (size_t)written;
        else if (written == 0 || errno != EINTR)
            return;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (!log_enabled(level))
        return;
    int number = errno; /* a caller may log between a failure and its report */
    struct line line;
    size_t max_text_bytes = sizeof line.text;
    while (!make_line(&line, max_text_bytes, level, event, fields, count) &&
           max_text_bytes > SHORTEST_TEXT_BYTES)
        max_text_bytes /= 2;
    write_line(&line);
    errno = number;
}
