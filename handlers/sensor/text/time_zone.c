/*
 * time_zone.c - zones from TZif files.
 *
 * RFC 8536, all numbers big-endian:
 *
 *   header  44 bytes: "TZif", version (NUL, '2', '3', '4'), 15 unused, then six 32-bit counts:
 *           isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
 *   data    timecnt x time (4 bytes in the first block, 8 in the second), timecnt x 1 type index,
 *           typecnt x 6 (32-bit offset, 1 is-daylight, 1 index of the name), charcnt name bytes,
 *           leapcnt x (time + 4), isstdcnt, isutcnt
 *   footer  version 2 and later, behind the second block: newline, POSIX TZ text, newline
 *
 * Version 2 and later: the first block is skipped. Before the first change type 0 holds; behind the
 * last one the footer, or, without a footer, the last type.
 */
#include "handlers/sensor/text/time_zone.h"

#include "handlers/sensor/text/time_zone_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    MAX_FILE_BYTES = 256 * 1024, /* the largest of tzdata is 4 KB */
    MAX_OFFSET_S = 26 * 3600,    /* RFC 8536 section 3.2: -25 to 26 hours */
    MAX_NAME = 64,
};

struct zone_change {
    int64_t utc_s;
    int offset_s; /* from then on */
};

struct time_zone {
    int first_offset_s; /* before the first change */
    bool has_rule;
    struct time_rule rule; /* from the last change on */
    size_t change_count;
    struct zone_change changes[];
};

/* ---- Parsing ---- */

struct tzif_block {
    struct view data;
    size_t time_bytes; /* 4 or 8 */
    uint32_t leap_count, time_count, type_count, name_bytes, standard_count, utc_count;
};

static uint32_t big_endian_32(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t big_endian_time(const char *at, size_t time_bytes)
{
    if (time_bytes == 4)
        return (int32_t)big_endian_32(at);
    return (int64_t)((uint64_t)big_endian_32(at) << 32 | big_endian_32(at + 4));
}

static uint64_t block_bytes(const struct tzif_block *block)
{
    return (uint64_t)block->time_count * (block->time_bytes + 1) +
           (uint64_t)block->type_count * TYPE_BYTES + block->name_bytes +
           (uint64_t)block->leap_count * (block->time_bytes + 4) + block->standard_count +
           block->utc_count;
}

/* Header and data of one block off the front of `*rest`. */
static bool take_block(struct view *rest, size_t time_bytes, struct tzif_block *block)
{
    if (rest->length < HEADER_BYTES || memcmp(rest->data, "TZif", 4) != 0)
        return false;
    const char *counts = rest->data + 20;
    *block = (struct tzif_block){
        .time_bytes = time_bytes,
        .utc_count = big_endian_32(counts),
        .standard_count = big_endian_32(counts + 4),
        .leap_count = big_endian_32(counts + 8),
        .time_count = big_endian_32(counts + 12),
        .type_count = big_endian_32(counts + 16),
        .name_bytes = big_endian_32(counts + 20),
    };
    uint64_t bytes = block_bytes(block);
    *rest = view_skip(*rest, HEADER_BYTES);
    if (bytes > rest->length)
        return false;
    block->data = view_slice(*rest, 0, (size_t)bytes);
    *rest = view_skip(*rest, (size_t)bytes);
    return block->type_count > 0 || time_bytes == 4;
}

static bool type_offset(const struct tzif_block *block, unsigned type, int *offset_s)
{
    if (type >= block->type_count)
        return false;
    const char *types = block->data.data + block->time_count * (block->time_bytes + 1);
    int32_t offset = (int32_t)big_endian_32(types + (size_t)type * TYPE_BYTES);
    *offset_s = offset;
    return offset > -MAX_OFFSET_S && offset <= MAX_OFFSET_S;
}

static bool fill_changes(struct time_zone *zone, const struct tzif_block *block)
{
    const char *times = block->data.data;
    const char *types = times + block->time_count * block->time_bytes;
    if (!type_offset(block, 0, &zone->first_offset_s))
        return false;
    for (size_t i = 0; i < block->time_count; i++) {
        struct zone_change *change = &zone->changes[i];
        change->utc_s = big_endian_time(times + i * block->time_bytes, block->time_bytes);
        if (!type_offset(block, (unsigned char)types[i], &change->offset_s))
            return false;
        if (i > 0 && change->utc_s <= zone->changes[i - 1].utc_s)
            return false;
    }
    zone->change_count = block->time_count;
    return true;
}

static bool take_footer(struct time_zone *zone, struct view rest)
{
    if (rest.length < 2 || rest.data[0] != '\n')
        return false;
    struct view text = view_skip(rest, 1);
    text = view_slice(text, 0, view_index_of(text, '\n'));
    if (text.length + 2 > rest.length)
        return false;
    zone->has_rule = text.length > 0;
    return !zone->has_rule || time_rule_parse(text, &zone->rule);
}

static struct time_zone *malformed(struct time_zone *zone, struct error_record *error)
{
    free(zone);
    error_set_internal(error, HEARTH_CORRUPT, 0, "not a time zone file (RFC 8536)");
    return NULL;
}

struct time_zone *time_zone_parse(struct view tzif, struct error_record *error)
{
    struct tzif_block block;
    struct view rest = tzif;
    if (!take_block(&rest, 4, &block))
        return malformed(NULL, error);
    bool has_footer = tzif.data[4] != '\0';
    if (has_footer && !take_block(&rest, 8, &block))
        return malformed(NULL, error);
    if (block.type_count == 0 || block.leap_count > 0)
        return malformed(NULL, error);
    struct time_zone *zone =
        calloc(1, sizeof *zone + block.time_count * sizeof(struct zone_change));
    if (!zone) {
        error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "time zone");
        return NULL;
    }
    if (!fill_changes(zone, &block) || (has_footer && !take_footer(zone, rest)))
        return malformed(zone, error);
    return zone;
}

void time_zone_free(struct time_zone *zone)
{
    free(zone);
}

/* ---- Files ---- */

/* Segments of letters, digits, '_', '+', '-' and '.', none beginning with '.'. */
static bool name_is_safe(struct view name)
{
    bool begins = true;
    if (name.length == 0 || name.length > MAX_NAME)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '+' || c == '-' || (c == '.' && !begins);
        if (!plain && (c != '/' || begins))
            return false;
        begins = c == '/';
    }
    return !begins;
}

static enum hearth_error read_whole(int file, struct buffer *content)
{
    for (;;) {
        char *place = buffer_reserve(content, 4096);
        if (!place)
            return buffer_status(content);
        ssize_t got = read(file, place, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? HEARTH_OK : error_from_errno(errno);
        content->length += (size_t)got;
    }
}

static struct time_zone *load_file(const char *path, struct error_record *error)
{
    struct time_zone *zone = NULL;
    struct buffer content;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        error_set_internal(error, error_from_errno(errno), errno, "%s", path);
        return NULL;
    }
    buffer_init(&content, MAX_FILE_BYTES);
    enum hearth_error failed = read_whole(file, &content);
    if (failed)
        error_set_internal(error, failed, errno, "%s", path);
    else
        zone = time_zone_parse(buffer_view(&content), error);
    buffer_clean(&content);
    close(file);
    return zone;
}

struct time_zone *time_zone_load(const char *directory, struct view name,
                                 struct error_record *error)
{
    if (view_equal(name, VIEW("UTC"))) {
        struct time_zone *utc = calloc(1, sizeof *utc);
        if (!utc)
            error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "time zone");
        return utc;
    }
    if (!name_is_safe(name)) {
        error_set(error, HEARTH_BAD_REQUEST, "not the name of a time zone");
        return NULL;
    }
    struct buffer path;
    struct time_zone *zone = NULL;
    buffer_init(&path, 4096);
    buffer_append_text(&path, directory);
    buffer_append_byte(&path, '/');
    buffer_append(&path, name);
    buffer_append_byte(&path, '\0');
    if (buffer_status(&path) == HEARTH_OK)
        zone = load_file(path.data, error);
    else
        error_set_internal(error, buffer_status(&path), 0, "path of a time zone");
    buffer_clean(&path);
    return zone;
}

/* ---- Use ---- */

/* How many changes are not after the moment. */
static size_t changes_until(const struct time_zone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->change_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].utc_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int time_zone_offset_s(const struct time_zone *zone, int64_t utc_s)
{
    size_t passed = changes_until(zone, utc_s);
    if (zone->has_rule && passed == zone->change_count)
        return time_rule_offset_s(&zone->rule, utc_s);
    return passed == 0 ? zone->first_offset_s : zone->changes[passed - 1].offset_s;
}

int64_t time_zone_next_change_s(const struct time_zone *zone, int64_t utc_s)
{
    size_t passed = changes_until(zone, utc_s);
    if (passed < zone->change_count)
        return zone->changes[passed].utc_s;
    return zone->has_rule ? time_rule_next_change_s(&zone->rule, utc_s) : INT64_MAX;
}

static int64_t floor_seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/*
 * Walks the spans of one offset each that lie around the local time, oldest first. In a span the
 * local time can mean one moment only, and the first that lies within its span is the answer. Where
 * the moment has passed the end of a span and lies before the begin of the next, the clock jumped
 * over the local time; that counts when no later span has it.
 */
int64_t time_zone_to_utc_ms(const struct time_zone *zone, int64_t local_ms)
{
    int64_t local_s = floor_seconds(local_ms), begin = local_s - MAX_OFFSET_S, end;
    int offset = time_zone_offset_s(zone, begin), before = offset;
    bool skipped = false;
    do {
        end = time_zone_next_change_s(zone, begin);
        bool too_early = local_s - offset < begin;
        if (!too_early && local_s - offset < end)
            return local_ms - (int64_t)offset * 1000;
        skipped = skipped || too_early;
        begin = end;
        before = skipped ? before : offset;
        offset = time_zone_offset_s(zone, begin);
    } while (end <= local_s + MAX_OFFSET_S);
    return local_ms - (int64_t)before * 1000;
}

int64_t time_zone_to_local_ms(const struct time_zone *zone, int64_t utc_ms)
{
    return utc_ms + (int64_t)time_zone_offset_s(zone, floor_seconds(utc_ms)) * 1000;
}
