/*
 * manifest.c - a row of the manifest as text. A row, byte by byte (one line):
 *
 *   {"sequence":N,"part":N,"parts":N,"slots":N,"file":"NAME","records":N,
 *    "sha256":"HASH","previous":"HASH","check":"CRC"}\n
 *
 * without white space. N is decimal without leading zeros, NAME as in sealed_file.h (of the same
 * sequence), HASH 64 hexadecimal digits in lower case, CRC 8 of them: the CRC-32 of zlib and of
 * Ethernet over all that stands before `,"check"`. A text that differs in one byte is no row: what
 * is read is what was hashed.
 */
#include "handlers/sensor/sealed/manifest.h"

#include "handlers/sensor/text/exact_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

enum { HASH_DIGITS = 2 * MANIFEST_HASH_BYTES };

static uint32_t check_of(struct view text)
{
    return (uint32_t)crc32(0, (const unsigned char *)text.data, (unsigned)text.length);
}

static void hash_format(const unsigned char hash[MANIFEST_HASH_BYTES], char text[HASH_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < MANIFEST_HASH_BYTES; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    text[HASH_DIGITS] = '\0';
}

size_t manifest_row_format(const struct manifest_row *row, char text[MANIFEST_ROW_BYTES])
{
    char name[SEALED_NAME_BYTES], sha256[HASH_DIGITS + 1], previous[HASH_DIGITS + 1];
    sealed_name_format(&row->file, name);
    hash_format(row->sha256, sha256);
    hash_format(row->previous, previous);
    int length = snprintf(text, MANIFEST_ROW_BYTES,
                          "{\"sequence\":%" PRIu64 ",\"part\":%" PRIu32 ",\"parts\":%" PRIu32
                          ",\"slots\":%" PRIu64 ",\"file\":\"%s\",\"records\":%" PRIu32
                          ",\"sha256\":\"%s\",\"previous\":\"%s\"",
                          row->file.sequence, row->part, row->parts, row->slots, name,
                          row->file.records, sha256, previous);
    uint32_t check = check_of(view_from(text, (size_t)length));
    length += snprintf(text + length, (size_t)(MANIFEST_ROW_BYTES - length),
                       ",\"check\":\"%08" PRIx32 "\"}\n", check);
    return (size_t)length;
}

/* ---- Parsing ---- */

/* A digit's value + 1; 0 = none. */
static const unsigned char hex_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static bool take_hex(struct view *rest, unsigned char *bytes, size_t count)
{
    const unsigned char *digits = (const unsigned char *)rest->data;
    bool good = true;
    if (rest->length < 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned high = hex_values[digits[2 * i]], low = hex_values[digits[2 * i + 1]];
        good &= high > 0 && low > 0;
        bytes[i] = (unsigned char)((high - 1) << 4 | ((low - 1) & 15));
    }
    *rest = view_skip(*rest, 2 * count);
    return good;
}

/* `row` is all of it. */
static bool take_check(struct view *rest, struct view row)
{
    unsigned char digits[4];
    uint32_t check = check_of(view_slice(row, 0, row.length - rest->length));
    if (!exact_literal(rest, VIEW(",\"check\":\"")) || !take_hex(rest, digits, sizeof digits))
        return false;
    return check == ((uint32_t)digits[0] << 24 | (uint32_t)digits[1] << 16 |
                     (uint32_t)digits[2] << 8 | digits[3]);
}

static bool take_member(struct view *rest, struct view name, uint64_t maximum, uint64_t *number)
{
    return exact_literal(rest, name) && exact_number(rest, 1, maximum, number);
}

static bool take_file(struct view *rest, struct sealed_file *file)
{
    if (!exact_literal(rest, VIEW(",\"file\":\"")))
        return false;
    size_t end = view_index_of(*rest, '"');
    if (end == SIZE_MAX || !sealed_name_parse(view_slice(*rest, 0, end), file))
        return false;
    *rest = view_skip(*rest, end + 1);
    return true;
}

bool manifest_row_parse(struct view line, struct manifest_row *row)
{
    struct view rest = line;
    uint64_t sequence, part, parts, records;
    if (!take_member(&rest, VIEW("{\"sequence\":"), UINT64_MAX, &sequence) ||
        !take_member(&rest, VIEW(",\"part\":"), UINT32_MAX, &part) ||
        !take_member(&rest, VIEW(",\"parts\":"), UINT32_MAX, &parts) ||
        !take_member(&rest, VIEW(",\"slots\":"), UINT64_MAX, &row->slots) ||
        !take_file(&rest, &row->file) ||
        !take_member(&rest, VIEW(",\"records\":"), UINT32_MAX, &records) ||
        !exact_literal(&rest, VIEW(",\"sha256\":\"")) ||
        !take_hex(&rest, row->sha256, sizeof row->sha256) ||
        !exact_literal(&rest, VIEW("\",\"previous\":\"")) ||
        !take_hex(&rest, row->previous, sizeof row->previous) ||
        !exact_literal(&rest, VIEW("\"")) || !take_check(&rest, line) ||
        !view_equal(rest, VIEW("\"}")))
        return false;
    row->part = (uint32_t)part;
    row->parts = (uint32_t)parts;
    row->file.records = (uint32_t)records;
    return sequence == row->file.sequence && sequence >= 1 && part >= 1 && part <= parts &&
           records >= 1 && records <= row->slots;
}
