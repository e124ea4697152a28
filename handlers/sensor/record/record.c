/*
 * record.c - one reading in 96 bits: the codec of the format in hearth/reading_store.h.
 *
 * The twelve bytes are handled as one 64-bit and one 32-bit big-endian number:
 *
 *   high, bits 95..32:  version 2 | time 42 | channel - 1 4 | rolling code 8 | scale 1 | raw >> 5 7
 *   low,  bits 31..0:   raw & 31 5 | humidity 7 | battery low 1 | signal 7 | relay 1 | occupied 1 |
 *                       time quality 2 | checksum 8
 */
#include "handlers/sensor/record/record.h"

#include <string.h>

enum {
    CHECKED_BYTES = RECORD_BYTES - 1, /* what the checksum covers */
    TIME_SHIFT = 20,
    VERSION_SHIFT = 62,
    QUALITY_BYTE = 10, /* relay, occupied and time quality end here */
    QUALITY_MASK = 3,
};

/* The remainder of each byte value, polynomial 0x2F. */
static const uint8_t checksum_table[256] = {
    0x00, 0x2F, 0x5E, 0x71, 0xBC, 0x93, 0xE2, 0xCD, 0x57, 0x78, 0x09, 0x26, 0xEB, 0xC4, 0xB5, 0x9A,
    0xAE, 0x81, 0xF0, 0xDF, 0x12, 0x3D, 0x4C, 0x63, 0xF9, 0xD6, 0xA7, 0x88, 0x45, 0x6A, 0x1B, 0x34,
    0x73, 0x5C, 0x2D, 0x02, 0xCF, 0xE0, 0x91, 0xBE, 0x24, 0x0B, 0x7A, 0x55, 0x98, 0xB7, 0xC6, 0xE9,
    0xDD, 0xF2, 0x83, 0xAC, 0x61, 0x4E, 0x3F, 0x10, 0x8A, 0xA5, 0xD4, 0xFB, 0x36, 0x19, 0x68, 0x47,
    0xE6, 0xC9, 0xB8, 0x97, 0x5A, 0x75, 0x04, 0x2B, 0xB1, 0x9E, 0xEF, 0xC0, 0x0D, 0x22, 0x53, 0x7C,
    0x48, 0x67, 0x16, 0x39, 0xF4, 0xDB, 0xAA, 0x85, 0x1F, 0x30, 0x41, 0x6E, 0xA3, 0x8C, 0xFD, 0xD2,
    0x95, 0xBA, 0xCB, 0xE4, 0x29, 0x06, 0x77, 0x58, 0xC2, 0xED, 0x9C, 0xB3, 0x7E, 0x51, 0x20, 0x0F,
    0x3B, 0x14, 0x65, 0x4A, 0x87, 0xA8, 0xD9, 0xF6, 0x6C, 0x43, 0x32, 0x1D, 0xD0, 0xFF, 0x8E, 0xA1,
    0xE3, 0xCC, 0xBD, 0x92, 0x5F, 0x70, 0x01, 0x2E, 0xB4, 0x9B, 0xEA, 0xC5, 0x08, 0x27, 0x56, 0x79,
    0x4D, 0x62, 0x13, 0x3C, 0xF1, 0xDE, 0xAF, 0x80, 0x1A, 0x35, 0x44, 0x6B, 0xA6, 0x89, 0xF8, 0xD7,
    0x90, 0xBF, 0xCE, 0xE1, 0x2C, 0x03, 0x72, 0x5D, 0xC7, 0xE8, 0x99, 0xB6, 0x7B, 0x54, 0x25, 0x0A,
    0x3E, 0x11, 0x60, 0x4F, 0x82, 0xAD, 0xDC, 0xF3, 0x69, 0x46, 0x37, 0x18, 0xD5, 0xFA, 0x8B, 0xA4,
    0x05, 0x2A, 0x5B, 0x74, 0xB9, 0x96, 0xE7, 0xC8, 0x52, 0x7D, 0x0C, 0x23, 0xEE, 0xC1, 0xB0, 0x9F,
    0xAB, 0x84, 0xF5, 0xDA, 0x17, 0x38, 0x49, 0x66, 0xFC, 0xD3, 0xA2, 0x8D, 0x40, 0x6F, 0x1E, 0x31,
    0x76, 0x59, 0x28, 0x07, 0xCA, 0xE5, 0x94, 0xBB, 0x21, 0x0E, 0x7F, 0x50, 0x9D, 0xB2, 0xC3, 0xEC,
    0xD8, 0xF7, 0x86, 0xA9, 0x64, 0x4B, 0x3A, 0x15, 0x8F, 0xA0, 0xD1, 0xFE, 0x33, 0x1C, 0x6D, 0x42,
};

const char *record_reject_name(enum record_reject reject)
{
    static const char *const names[] = {
#define RECORD_REJECT_NAME(name) #name,
        RECORD_REJECTS(RECORD_REJECT_NAME)
#undef RECORD_REJECT_NAME
    };
    return (unsigned)reject < REJECT_COUNT ? names[reject] : "UNKNOWN";
}

uint8_t record_checksum(const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    uint8_t checksum = 0xFF;
    for (size_t i = 0; i < length; i++)
        checksum = checksum_table[checksum ^ byte[i]];
    return checksum ^ 0xFF;
}

static enum record_reject reading_check(const struct reading *reading)
{
    if (reading->time_ms < 0 || reading->time_ms > READING_TIME_MAX_MS ||
        (unsigned)reading->time_quality > QUALITY_MASK)
        return REJECT_TIME_RANGE;
    if (reading->channel < 1 || reading->channel > 16)
        return REJECT_CHANNEL_RANGE;
    if (reading->rolling_code < 0 || reading->rolling_code > 255)
        return REJECT_ROLLING_CODE_RANGE;
    if (reading->raw < 0 || reading->raw > RAW_ABSENT || (unsigned)reading->scale > SCALE_TENTHS_C)
        return REJECT_TEMPERATURE_RANGE;
    if (reading->humidity < 0 || (reading->humidity > 100 && reading->humidity != HUMIDITY_ABSENT))
        return REJECT_HUMIDITY_RANGE;
    if (reading->signal < 0 || reading->signal > 127)
        return REJECT_SIGNAL_RANGE;
    return REJECT_NONE;
}

enum record_reject record_encode(const struct reading *reading, struct record *record)
{
    enum record_reject reject = reading_check(reading);
    if (reject != REJECT_NONE)
        return reject;
    uint32_t raw = (uint32_t)reading->raw;
    uint64_t high = (uint64_t)reading->time_ms << TIME_SHIFT |
                    (uint64_t)(reading->channel - 1) << 16 | (uint64_t)reading->rolling_code << 8 |
                    (uint64_t)reading->scale << 7 | raw >> 5;
    uint32_t low = (raw & 31) << 27 | (uint32_t)reading->humidity << 20 |
                   (uint32_t)reading->battery_low << 19 | (uint32_t)reading->signal << 12 |
                   (uint32_t)reading->relay << 11 | (uint32_t)reading->occupied << 10 |
                   (uint32_t)reading->time_quality << 8;
    for (unsigned i = 0; i < 8; i++)
        record->bytes[i] = (unsigned char)(high >> (56 - 8 * i));
    for (unsigned i = 0; i < 3; i++)
        record->bytes[8 + i] = (unsigned char)(low >> (24 - 8 * i));
    record->bytes[CHECKED_BYTES] = record_checksum(record->bytes, CHECKED_BYTES);
    return REJECT_NONE;
}

enum record_reject record_check(const struct record *record)
{
    if (record->bytes[0] >> 6 != 0)
        return REJECT_VERSION;
    if (record_checksum(record->bytes, CHECKED_BYTES) != record->bytes[CHECKED_BYTES])
        return REJECT_CHECKSUM;
    uint32_t humidity = record_low(record) >> 20 & 127;
    return humidity > 100 && humidity != HUMIDITY_ABSENT ? REJECT_HUMIDITY_RANGE : REJECT_NONE;
}

enum record_reject record_decode(const struct record *record, struct reading *reading)
{
    enum record_reject reject = record_check(record);
    if (reject != REJECT_NONE)
        return reject;
    uint64_t high = record_high(record);
    uint32_t low = record_low(record);
    *reading = (struct reading){
        .time_ms = record_time_ms(record),
        .channel = record_channel(record),
        .rolling_code = record_rolling_code(record),
        .scale = (enum reading_scale)(high >> 7 & 1),
        .raw = (int)((high & 127) << 5 | low >> 27),
        .humidity = (int)(low >> 20 & 127),
        .battery_low = low >> 19 & 1,
        .signal = (int)(low >> 12 & 127),
        .relay = low >> 11 & 1,
        .occupied = low >> 10 & 1,
        .time_quality = record_time_quality(record),
    };
    return REJECT_NONE;
}

bool record_same(const struct record *a, const struct record *b)
{
    return memcmp(a->bytes, b->bytes, QUALITY_BYTE) == 0 &&
           ((a->bytes[QUALITY_BYTE] ^ b->bytes[QUALITY_BYTE]) & ~QUALITY_MASK) == 0;
}

int64_t record_time_ms(const struct record *record)
{
    return (int64_t)(record_high(record) >> TIME_SHIFT & (uint64_t)READING_TIME_MAX_MS);
}

int record_channel(const struct record *record)
{
    return (record->bytes[5] & 15) + 1;
}

int record_rolling_code(const struct record *record)
{
    return record->bytes[6];
}

enum time_quality record_time_quality(const struct record *record)
{
    return (enum time_quality)(record->bytes[QUALITY_BYTE] & QUALITY_MASK);
}
