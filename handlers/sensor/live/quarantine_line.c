/*
 * quarantine_line.c - one line of a quarantine file; its members stand in quarantine.h.
 *
 * What came is kept as text where that can be read, and in base64 where it is not UTF-8 or would be
 * longer as text: whoever sends control bytes takes no more room on the disk than with others.
 */
#include "handlers/sensor/live/quarantine.h"

#include "app/core/json_text.h"
#include "app/core/utf8.h"

#include <inttypes.h>

bool quarantine_is_utf8(struct view text)
{
    bool valid = true;
    while (valid && text.length > 0)
        text = view_skip(text, utf8_next(text, &valid));
    return valid;
}

static size_t base64_length(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

enum hearth_error quarantine_base64(struct buffer *out, struct view bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.data;
    char *text = buffer_reserve(out, base64_length(bytes.length));
    if (!text)
        return buffer_status(out);
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t have = bytes.length - i < 3 ? bytes.length - i : 3;
        uint32_t group = (uint32_t)in[i] << 16;
        if (have > 1)
            group |= (uint32_t)in[i + 1] << 8;
        if (have > 2)
            group |= in[i + 2];
        *text++ = digits[group >> 18];
        *text++ = digits[group >> 12 & 63];
        *text++ = (char)(have > 1 ? digits[group >> 6 & 63] : '=');
        *text++ = (char)(have > 2 ? digits[group & 63] : '=');
    }
    out->length += base64_length(bytes.length);
    return HEARTH_OK;
}

/* Of what stands between the quotes of a JSON string; no further than `limit` is counted. */
static size_t json_length(struct view text, size_t limit)
{
    char escape[JSON_ESCAPE_SIZE];
    size_t length = 0;
    while (text.length > 0 && length <= limit) {
        length += json_plain(&text).length;
        if (text.length > 0)
            length += json_escape(&text, escape).length;
    }
    return length;
}

static bool kept_as_text(struct view raw)
{
    size_t limit = base64_length(raw.length);
    return quarantine_is_utf8(raw) && json_length(raw, limit) <= limit;
}

enum hearth_error quarantine_line(struct buffer *out, const struct quarantine_entry *entry,
                                  int64_t wall_ms)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, time);
    buffer_append_format(out, "{\"time\":\"%s\",\"reason\":\"%s\",\"source\":", time,
                         entry->reason);
    buffer_append_json(out, entry->source);
    if (entry->in_live)
        buffer_append_format(out, ",\"sequence\":%" PRIu64 ",\"slot\":%" PRIu64, entry->sequence,
                             entry->slot);
    buffer_append_format(out, ",\"count\":%" PRIu64, entry->count ? entry->count : 1);
    if (entry->parts > 1)
        buffer_append_format(out, ",\"part\":%u,\"parts\":%u,\"id\":\"%016" PRIx64 "\"",
                             entry->part, entry->parts, entry->id);
    if (kept_as_text(entry->raw)) {
        buffer_append_text(out, ",\"raw\":");
        buffer_append_json(out, entry->raw);
    } else {
        buffer_append_text(out, ",\"raw_base64\":\"");
        quarantine_base64(out, entry->raw);
        buffer_append_byte(out, '"');
    }
    buffer_append_text(out, "}\n");
    return buffer_status(out);
}
