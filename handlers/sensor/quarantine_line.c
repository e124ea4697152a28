/*
 * quarantine_line.c - one line of a quarantine file; its members stand in quarantine.h.
 */
#include "handlers/sensor/quarantine.h"

#include <inttypes.h>

enum { UTF8_MAX = 0x10FFFF };

/* The length of the character that begins at `at`, or 0 when none does. */
static size_t utf8_character(const unsigned char *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > left)
        return 0;
    uint32_t character = at[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3Fu);
    }
    bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    return character < smallest[length] || character > UTF8_MAX || surrogate ? 0 : length;
}

bool quarantine_is_utf8(struct view text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.length;) {
        size_t length = utf8_character(bytes + i, text.length - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

enum hearth_error quarantine_base64(struct buffer *out, struct view bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.data;
    char *text = buffer_reserve(out, (bytes.length + 2) / 3 * 4);
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
    out->length += (bytes.length + 2) / 3 * 4;
    return HEARTH_OK;
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
    if (quarantine_is_utf8(entry->raw)) {
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
