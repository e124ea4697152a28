/*
 * auth_names.c - what the texts in the auth state may be.
 */
#include "app/http/auth_names.h"

#include "app/core/utf8.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

enum { NAME_MAXIMUM = 64, ZONE_MAXIMUM = 64, ID_LENGTH = 16 };

/* ---- Scopes and units ---- */

static const struct {
    enum auth_scope scope;
    const char *name;
} scope_names[] = {
    {SCOPE_DATA_READ, "data:read"},     {SCOPE_DATA_WRITE, "data:write"},
    {SCOPE_POSTS_WRITE, "posts:write"}, {SCOPE_MEDIA_WRITE, "media:write"},
    {SCOPE_OPS_READ, "ops:read"},       {SCOPE_OPS_WRITE, "ops:write"},
};

enum { SCOPE_NAME_COUNT = sizeof scope_names / sizeof scope_names[0] };

const char *auth_scope_name(enum auth_scope scope)
{
    for (size_t i = 0; i < SCOPE_NAME_COUNT; i++) {
        if (scope_names[i].scope == scope)
            return scope_names[i].name;
    }
    return NULL;
}

unsigned auth_scope_of(struct view name)
{
    for (size_t i = 0; i < SCOPE_NAME_COUNT; i++) {
        if (view_equal(name, view_of(scope_names[i].name)))
            return scope_names[i].scope;
    }
    return 0;
}

unsigned auth_scopes_parse(struct view names)
{
    unsigned scopes = 0;
    struct view rest = names;
    while (rest.data) {
        unsigned scope = auth_scope_of(view_trim(view_split(&rest, ',')));
        if (scope == 0)
            return 0;
        scopes |= scope;
    }
    return scopes;
}

void auth_scopes_format(unsigned scopes, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SCOPE_NAME_COUNT && length < size; i++) {
        if (!(scopes & scope_names[i].scope))
            continue;
        int wrote = snprintf(out + length, size - length, "%s%s", length > 0 ? "," : "",
                             scope_names[i].name);
        length += wrote > 0 ? (size_t)wrote : 0;
    }
}

static const char *const unit_names[] = {
    [UNIT_TENTHS_F] = "tenths_f",
    [UNIT_TENTHS_C] = "tenths_c",
    [UNIT_F] = "f",
    [UNIT_C] = "c",
};

enum { UNIT_NAME_COUNT = sizeof unit_names / sizeof unit_names[0] };

const char *temperature_unit_name(enum temperature_unit unit)
{
    return (size_t)unit < UNIT_NAME_COUNT ? unit_names[unit] : "unknown";
}

bool temperature_unit_parse(struct view name, enum temperature_unit *unit)
{
    for (size_t i = 0; i < UNIT_NAME_COUNT; i++) {
        if (view_equal(name, view_of(unit_names[i]))) {
            *unit = (enum temperature_unit)i;
            return true;
        }
    }
    return false;
}

/* ---- Names ---- */

/* C0, DEL, and C1 (U+0080..U+009F), which a terminal may obey. */
static bool is_control(struct view character)
{
    unsigned char first = (unsigned char)character.data[0];
    if (character.length == 1)
        return first < 0x20 || first == 0x7f;
    return first == 0xc2 && (unsigned char)character.data[1] < 0xa0;
}

bool auth_name_valid(struct view name)
{
    if (name.length == 0 || name.length > NAME_MAXIMUM || view_trim(name).length != name.length)
        return false;
    while (name.length > 0) {
        bool valid;
        size_t bytes = utf8_next(name, &valid);
        if (!valid || is_control(view_slice(name, 0, bytes)))
            return false;
        name = view_skip(name, bytes);
    }
    return true;
}

bool auth_id_valid(struct view id)
{
    unsigned char bytes[ID_LENGTH / 2];
    return auth_hex_parse(id, bytes, sizeof bytes);
}

/* ---- Time zones ---- */

static bool zone_part_valid(struct view part)
{
    for (size_t i = 0; i < part.length; i++) {
        char c = part.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+';
        if (!letter && !other)
            return false;
    }
    return part.length > 0;
}

bool auth_zone_valid(struct view zone)
{
    if (zone.length == 0 || zone.length > ZONE_MAXIMUM)
        return false;
    while (zone.data) {
        if (!zone_part_valid(view_split(&zone, '/')))
            return false;
    }
    return true;
}

bool auth_zone_exists(const char *zone)
{
    char path[sizeof ZONE_DIRECTORY + 1 + ZONE_MAXIMUM];
    char magic[4];
    if (!auth_zone_valid(view_of(zone)))
        return false;
    if (strcmp(zone, "UTC") == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", ZONE_DIRECTORY, zone);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    bool zone_file = read(file, magic, sizeof magic) == (ssize_t)sizeof magic &&
                     memcmp(magic, "TZif", sizeof magic) == 0;
    close(file);
    return zone_file;
}

/* ---- Times ---- */

/* `count` digits at `at`, or -1. */
static int digits(const char *text, size_t at, size_t count)
{
    int number = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool auth_time_parse(struct view text, int64_t *wall_ms)
{
    char again[CLOCK_RFC3339_SIZE];
    if (text.length != sizeof again - 1)
        return false;
    struct civil_time civil = {
        .year = digits(text.data, 0, 4),
        .month = digits(text.data, 5, 2),
        .day = digits(text.data, 8, 2),
        .hour = digits(text.data, 11, 2),
        .minute = digits(text.data, 14, 2),
        .second = digits(text.data, 17, 2),
        .ms = digits(text.data, 20, 3),
    };
    /* Whatever is not a time, or not in this form, is written differently. */
    *wall_ms = civil_to_ms(&civil);
    clock_format_rfc3339(*wall_ms, again);
    return view_equal(text, view_of(again));
}

/* ---- Hex digits ---- */

void auth_hex_format(const unsigned char *bytes, size_t count, char *text)
{
    static const char hex_digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = hex_digits[bytes[i] >> 4];
        text[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool auth_hex_parse(struct view text, unsigned char *bytes, size_t count)
{
    if (text.length != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
