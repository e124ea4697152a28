/*
 * buffer.c - text that grows, up to a maximum said at birth.
 *
 * The capacity doubles, up to the maximum. One byte more than the capacity is held, so that
 * vsnprintf, which always writes a NUL, can fill a buffer to its last byte.
 */
#include <stdio.h>
#include <string.h>

#include "app/core/json_text.h"
#include "app/core/memory.h"
#include "app/core/number_text.h"
#include "hearth/base.h"

enum { SMALLEST_CAPACITY = 64 };

void buffer_init(struct buffer *buffer, size_t max_bytes)
{
    /* Room for the byte behind the capacity must be expressible. */
    if (max_bytes == SIZE_MAX)
        max_bytes--;
    *buffer = (struct buffer){.max_bytes = max_bytes, .failed = HEARTH_OK};
}

void buffer_clean(struct buffer *buffer)
{
    memory_free(buffer->data);
    buffer_init(buffer, buffer->max_bytes);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = HEARTH_OK;
}

/* The next capacity that holds `needed` bytes; `needed` is within the maximum. */
static size_t grown_capacity(const struct buffer *buffer, size_t needed)
{
    size_t capacity =
        buffer->capacity > buffer->max_bytes / 2 ? buffer->max_bytes : buffer->capacity * 2;
    if (capacity < SMALLEST_CAPACITY)
        capacity = SMALLEST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    return capacity < buffer->max_bytes ? capacity : buffer->max_bytes;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->failed != HEARTH_OK)
        return NULL;
    if (size > buffer->max_bytes - buffer->length) {
        buffer->failed = HEARTH_BODY_TOO_LARGE;
        return NULL;
    }
    if (!buffer->data || size > buffer->capacity - buffer->length) {
        size_t capacity = grown_capacity(buffer, buffer->length + size);
        char *data = memory_resize(buffer->data, capacity + 1);
        if (!data) {
            buffer->failed = HEARTH_NO_MEMORY;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

enum hearth_error buffer_append(struct buffer *buffer, struct view text)
{
    if (text.length == 0)
        return buffer->failed;
    char *to = buffer_reserve(buffer, text.length);
    if (to) {
        memcpy(to, text.data, text.length);
        buffer->length += text.length;
    }
    return buffer->failed;
}

enum hearth_error buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, view_of(text));
}

enum hearth_error buffer_append_byte(struct buffer *buffer, char byte)
{
    char *to = buffer_reserve(buffer, 1);
    if (to) {
        *to = byte;
        buffer->length++;
    }
    return buffer->failed;
}

enum hearth_error buffer_append_int64(struct buffer *buffer, int64_t number)
{
    char text[NUMBER_TEXT_SIZE];
    return buffer_append(buffer, view_from(text, integer_text(number, text)));
}

enum hearth_error buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    char *to = buffer_reserve(buffer, 0);
    if (!to)
        return buffer->failed;
    size_t room = buffer->capacity - buffer->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, room + 1, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = HEARTH_MISUSE;
    } else if ((size_t)length <= room) {
        buffer->length += (size_t)length;
    } else if ((to = buffer_reserve(buffer, (size_t)length)) != NULL) {
        va_start(arguments, format);
        vsnprintf(to, (size_t)length + 1, format, arguments);
        va_end(arguments);
        buffer->length += (size_t)length;
    }
    return buffer->failed;
}

/* Undoes a composite append that failed in its middle. */
static enum hearth_error append_whole(struct buffer *buffer, size_t start)
{
    if (buffer->failed != HEARTH_OK)
        buffer->length = start;
    return buffer->failed;
}

enum hearth_error buffer_append_json(struct buffer *buffer, struct view text)
{
    size_t start = buffer->length;
    buffer_append_byte(buffer, '"');
    while (text.length > 0 && buffer->failed == HEARTH_OK) {
        char escape[JSON_ESCAPE_SIZE];
        buffer_append(buffer, json_plain(&text));
        if (text.length > 0)
            buffer_append(buffer, json_escape(&text, escape));
    }
    buffer_append_byte(buffer, '"');
    return append_whole(buffer, start);
}

static struct view html_escape(char c)
{
    switch (c) {
    case '&':
        return VIEW("&amp;");
    case '<':
        return VIEW("&lt;");
    case '>':
        return VIEW("&gt;");
    case '"':
        return VIEW("&quot;");
    case '\'':
        return VIEW("&#39;");
    default:
        return VIEW_NONE;
    }
}

enum hearth_error buffer_append_html(struct buffer *buffer, struct view text)
{
    size_t start = buffer->length, done = 0;
    for (size_t i = 0; i < text.length; i++) {
        struct view escape = html_escape(text.data[i]);
        if (escape.length == 0)
            continue;
        buffer_append(buffer, view_slice(text, done, i - done));
        buffer_append(buffer, escape);
        done = i + 1;
    }
    buffer_append(buffer, view_skip(text, done));
    return append_whole(buffer, start);
}

enum hearth_error buffer_status(const struct buffer *buffer)
{
    return buffer->failed;
}

struct view buffer_view(const struct buffer *buffer)
{
    return (struct view){buffer->data, buffer->length};
}
