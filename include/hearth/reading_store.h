/*
 * reading_store.h - readings, and where they are kept.
 *
 * The record is 96 bits, big-endian, the most significant bit first:
 *
 *   bits    width  field
 *   95..94    2    version, 0
 *   93..52   42    time, ms since the Unix epoch (to the year 2109)
 *   51..48    4    channel - 1 (1..16)
 *   47..40    8    rolling code (the transmitter's id; changes with its battery)
 *   39        1    scale: 0 = tenths of degF + 400 (the radio's own), 1 = tenths of degC + 1000
 *   38..27   12    raw temperature, 4095 = absent
 *   26..20    7    humidity in %, 0..100, 127 = absent
 *   19        1    battery low
 *   18..12    7    signal: 0 unknown, n = -n dB
 *   11        1    relay
 *   10        1    occupied
 *   9..8      2    time quality
 *   7..0      8    CRC-8/AUTOSAR of the 11 bytes before (polynomial 0x2F, init 0xFF, xor-out 0xFF,
 * not reflected; check value 0xDF)
 *
 * Sorted bytes are sorted times. Two readings are the same when bits 95..10 are equal.
 *
 * The store is a table of functions: the embedded store (handlers/sensor/live/live_store.c) is one
 * implementation, engines on other machines may be others. tests/unit/reading_store_suite.c is
 * written against this table.
 */
#ifndef HEARTH_READING_STORE_H
#define HEARTH_READING_STORE_H

#include "hearth/base.h"
#include "hearth/clock.h"

enum { RECORD_BYTES = 12 };

struct record {
    unsigned char bytes[RECORD_BYTES];
};

enum reading_scale { SCALE_TENTHS_F = 0, SCALE_TENTHS_C = 1 };
enum time_quality { TIME_SENDER = 0, TIME_SERVER = 1, TIME_SUSPECT = 2, TIME_IMPORTED = 3 };
enum { RAW_ABSENT = 4095, RAW_F_OFFSET = 400, RAW_C_OFFSET = 1000, HUMIDITY_ABSENT = 127 };
#define READING_TIME_MAX_MS ((INT64_C(1) << 42) - 1)

struct reading {
    int64_t time_ms; /* 0..READING_TIME_MAX_MS */
    int channel;     /* 1..16 */
    int rolling_code;
    enum reading_scale scale;
    int raw;      /* 0..4094, or RAW_ABSENT */
    int humidity; /* 0..100, or HUMIDITY_ABSENT */
    bool battery_low;
    int signal; /* 0 unknown, n = -n dB, to 127 */
    bool relay, occupied;
    enum time_quality time_quality;
};

/* Why a record or a reading is not stored as such but kept in quarantine. The name (after REJECT_)
 * is what stands in logs, metrics and the quarantine file. */
#define RECORD_REJECTS(X)                                                                          \
    X(NONE)                                                                                        \
    X(CHECKSUM)                                                                                    \
    X(VERSION)                                                                                     \
    X(TIME_RANGE)                                                                                  \
    X(CHANNEL_RANGE)                                                                               \
    X(ROLLING_CODE_RANGE)                                                                          \
    X(TEMPERATURE_RANGE)                                                                           \
    X(HUMIDITY_RANGE)                                                                              \
    X(SIGNAL_RANGE)                                                                                \
    X(MISSING_MEMBER)                                                                              \
    X(WRONG_TYPE)                                                                                  \
    X(BAD_TIME)                                                                                    \
    X(NOT_JSON)                                                                                    \
    X(NOT_LINE_PROTOCOL)                                                                           \
    X(NOT_CSV)                                                                                     \
    X(TOO_LARGE) /* to be parsed: see LIMIT_READING_BYTES */                                       \
    X(MIXED)     /* of a text that holds several readings, each with a reason of its own */

enum record_reject {
#define RECORD_REJECT_MEMBER(name) REJECT_##name,
    RECORD_REJECTS(RECORD_REJECT_MEMBER)
#undef RECORD_REJECT_MEMBER
        REJECT_COUNT
};
const char *record_reject_name(enum record_reject reject);

/* REJECT_NONE, or the field that does not fit; then `record` is untouched. */
HEARTH_MUST_CHECK enum record_reject record_encode(const struct reading *reading,
                                                   struct record *record);
/* REJECT_NONE, CHECKSUM, VERSION (checked first) or HUMIDITY_RANGE (101..126). */
HEARTH_MUST_CHECK enum record_reject record_decode(const struct record *record,
                                                   struct reading *reading);
/* CRC-8/AUTOSAR; record_checksum("123456789", 9) = 0xDF. */
uint8_t record_checksum(const void *bytes, size_t length);
bool record_same(const struct record *a, const struct record *b); /* bits 95..10 */
int64_t record_time_ms(const struct record *record);
int record_channel(const struct record *record);
int record_rolling_code(const struct record *record);

/* What became of an append. */
struct append_result {
    uint64_t accepted, duplicate, quarantined;
    int64_t first_ms, last_ms; /* of the records given, -1 when none was good */
};
/* Adds what became of another part of the same append. */
void append_result_add(struct append_result *sum, const struct append_result *result);

/* A reading that cannot be a record, or several that came side by side: kept word for word. */
struct rejected_reading {
    enum record_reject reason;
    struct view raw;    /* what came, any bytes; of several with what stood between them */
    const char *source; /* the dialect: "json", "binary", ...; a literal */
    uint64_t count;     /* how many readings it is, as append counts them; 0 counts as 1 */
};

enum quantity { QUANTITY_TEMPERATURE, QUANTITY_HUMIDITY, QUANTITY_COUNT };

struct reading_range {
    int64_t from_ms, to_ms; /* from <= time < to */
    int channel;            /* 0 = all */
    int rolling_code;       /* -1 = all */
    bool with_suspect;      /* time quality 2 as well */
};

/* Records in ascending order of their bytes, without duplicates, a block at a time. The block is
 * valid during the call. Any error ends the range and is what it returns. */
typedef enum hearth_error range_visit_fn(void *context, const struct record *records, size_t count);

struct latest_reading {
    struct record record;
    uint64_t count; /* readings of this series in the store */
};

struct reading_series {
    int channel, rolling_code;
    int64_t first_ms, last_ms;
    uint64_t count;
};

struct store_state {
    uint64_t generation; /* rises with every change a reader can see */
    uint64_t readings;
    uint64_t stored_bytes; /* of the readings' files */
    int64_t newest_ms;     /* -1 = empty; suspects do not count */
    unsigned char id[16];  /* which store: no two have the same; zeros where there is no telling */
};

/* Where a reader that follows the store has come to, in the order of arrival. All zero = the start
 * of what is not sealed. */
struct tail_cursor {
    uint64_t sequence, slot;
};

struct tail_result {
    bool reset; /* the cursor's file is sealed or gone: read the range again, go on with the cursor
                 */
    bool more;  /* there is more behind the cursor than was given */
    uint64_t count;
};

/* Buckets: handlers/sensor/aggregate/aggregate.h. */
struct bucket_query;
struct bucket_track;
struct aggregate_statistics;
typedef enum hearth_error bucket_visit_fn(void *context, size_t bucket,
                                          const struct bucket_track *tracks, size_t count);

struct reading_store {
    /* Durable when it returns HEARTH_OK: records and rejected readings both. Records are checked
     * (checksum, version, humidity): a bad one is quarantined and counted. A reading that stands
     * already counts as duplicate, and waits for the same sync as its first. Errors: DISK_FULL,
     * UNAVAILABLE (the keeper is down), DEADLINE, IO, NO_MEMORY; then what was not acknowledged may
     * or may not be there, and sending it again is right. Any thread. `deadline_ns` is monotonic.
     */
    enum hearth_error (*append)(struct reading_store *store, const struct record *records,
                                size_t count, const struct rejected_reading *rejected,
                                size_t rejected_count, int64_t deadline_ns,
                                struct append_result *result, struct error_record *error);
    /* Sees everything acknowledged before the call. Any thread. Errors: IO, CORRUPT, NO_MEMORY, and
     * the visitor's. */
    enum hearth_error (*range)(struct reading_store *store, const struct reading_range *range,
                               range_visit_fn *visit, void *context, struct error_record *error);
    /* The newest reading of each series; at most `capacity` (there are 4,096 series). */
    enum hearth_error (*latest)(struct reading_store *store, struct latest_reading *latest,
                                size_t capacity, size_t *count, struct error_record *error);
    enum hearth_error (*series)(struct reading_store *store, struct reading_series *series,
                                size_t capacity, size_t *count, struct error_record *error);
    enum hearth_error (*state)(struct reading_store *store, struct store_state *state,
                               struct error_record *error);
    /* The digest of each bucket: aggregate.h. Any thread. Errors: IO, CORRUPT, UNAVAILABLE,
     * NO_MEMORY, and the visitor's. `statistics` may be NULL. */
    enum hearth_error (*aggregate)(struct reading_store *store, const struct bucket_query *query,
                                   bucket_visit_fn *visit, void *context,
                                   struct aggregate_statistics *statistics,
                                   struct error_record *error);
    /* What arrived behind `cursor`, at most `capacity` readings (suspects as well), in the order of
     * arrival; moves the cursor behind it. Never waits. A cursor that leads nowhere gives `reset`,
     * no readings, and the cursor of the end. Any thread. Errors: UNAVAILABLE, IO, NO_MEMORY. */
    enum hearth_error (*tail)(struct reading_store *store, struct tail_cursor *cursor,
                              struct record *records, size_t capacity, struct tail_result *result,
                              struct error_record *error);
    /* Finishes what is written to and seals all that is finished; returns when it is done. Errors:
     * those of append. NULL = this engine does not seal. Any thread. */
    enum hearth_error (*seal)(struct reading_store *store, int64_t deadline_ns,
                              struct error_record *error);
    void (*free)(struct reading_store *store);
};

#endif
