/*
 * identity.c - have we got this reading?
 *
 * Eight tag bits beside each number keep a miss from touching records at all in 255 of 256 probes.
 * Growing needs each record's hash again: the numbers in use are marked in a bitmap, so that the
 * records are read in the order of the files, a block at a time, and not at random.
 */
#include "handlers/sensor/live/identity.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <string.h>
#include <sys/random.h>

enum {
    CAPACITY_START = 1024,
    QUALITY_AND_CHECKSUM_BITS = 10,
};

void identity_init(struct identity *identity, identity_record_fn *record_at, void *context)
{
    *identity = (struct identity){.record_at = record_at, .context = context};
    if (getrandom(&identity->seed, sizeof identity->seed, GRND_NONBLOCK) < 0)
        identity->seed = (uint64_t)(uintptr_t)identity;
}

void identity_clean(struct identity *identity)
{
    memory_free(identity->numbers);
    memory_free(identity->tags);
    identity->numbers = NULL;
    identity->tags = NULL;
    identity->capacity = identity->used = 0;
    identity->last_high = identity->last_low = 0;
}

/* The order of records, without time quality and checksum. */
static uint64_t low_bits(const struct record *record)
{
    return record_low(record) >> QUALITY_AND_CHECKSUM_BITS;
}

static bool is_behind_all(const struct identity *identity, const struct record *record)
{
    uint64_t high = record_high(record);
    return high != identity->last_high ? high > identity->last_high
                                       : low_bits(record) > identity->last_low;
}

bool identity_before(const struct record *a, const struct record *b)
{
    uint64_t high_a = record_high(a), high_b = record_high(b);
    return high_a != high_b ? high_a < high_b : low_bits(a) < low_bits(b);
}

static uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= UINT64_C(0xD6E8FEB86659FD93);
    value ^= value >> 32;
    value *= UINT64_C(0xD6E8FEB86659FD93);
    return value ^ value >> 32;
}

static uint64_t hash(const struct identity *identity, const struct record *record)
{
    uint64_t high, low = 0;
    memcpy(&high, record->bytes, sizeof high);
    memcpy(&low, record->bytes + sizeof high, 3);
    unsigned char *last = (unsigned char *)&low + 2;
    *last &= 0xFC; /* without the time quality */
    return mix(mix(high ^ identity->seed) + low);
}

static uint8_t tag_of(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

static void place(struct identity *identity, uint64_t hash, uint32_t number)
{
    size_t mask = identity->capacity - 1, at = (size_t)hash & mask;
    while (identity->numbers[at] != 0)
        at = (at + 1) & mask;
    identity->numbers[at] = number + 1;
    identity->tags[at] = tag_of(hash);
    identity->used++;
}

/* One bit for each number up to the largest in use. */
static uint64_t *mark_used(const struct identity *identity, uint32_t *end)
{
    *end = 0;
    for (size_t i = 0; i < identity->capacity; i++)
        if (identity->numbers[i] > *end)
            *end = identity->numbers[i];
    uint64_t *marks = memory_new_zero((size_t)*end / 64 + 1, sizeof *marks);
    for (size_t i = 0; marks && i < identity->capacity; i++)
        if (identity->numbers[i] != 0)
            marks[(identity->numbers[i] - 1) / 64] |= UINT64_C(1)
                                                      << (identity->numbers[i] - 1) % 64;
    return marks;
}

/* Fills the larger table from the records behind the smaller one. */
static enum hearth_error refill(const struct identity *from, struct identity *to)
{
    uint32_t end;
    uint64_t *marks = mark_used(from, &end);
    enum hearth_error code = marks ? HEARTH_OK : HEARTH_NO_MEMORY;
    for (uint32_t number = 0; code == HEARTH_OK && number < end; number++) {
        if (!(marks[number / 64] >> number % 64 & 1))
            continue;
        const struct record *record = from->record_at(from->context, number);
        if (record)
            place(to, hash(to, record), number);
        else
            code = HEARTH_IO;
    }
    memory_free(marks);
    return code;
}

static enum hearth_error grow(struct identity *identity, size_t capacity)
{
    struct identity larger = *identity;
    larger.capacity = capacity;
    larger.used = 0;
    larger.numbers = memory_new_zero(capacity, sizeof *larger.numbers);
    larger.tags = memory_new(capacity);
    enum hearth_error code = HEARTH_NO_MEMORY;
    if (larger.numbers && larger.tags)
        code = refill(identity, &larger);
    if (code != HEARTH_OK) {
        identity_clean(&larger);
        return code;
    }
    identity_clean(identity);
    *identity = larger;
    return HEARTH_OK;
}

enum hearth_error identity_reserve(struct identity *identity, size_t count)
{
    size_t capacity = identity->capacity ? identity->capacity : CAPACITY_START;
    while ((identity->used + count) > capacity / 4 * 3)
        capacity *= 2;
    return capacity == identity->capacity ? HEARTH_OK : grow(identity, capacity);
}

enum identity_answer identity_find(const struct identity *identity, const struct record *record)
{
    if (identity->used == 0 || is_behind_all(identity, record))
        return IDENTITY_NEW;
    uint64_t hashed = hash(identity, record);
    size_t mask = identity->capacity - 1, at = (size_t)hashed & mask;
    for (; identity->numbers[at] != 0; at = (at + 1) & mask) {
        if (identity->tags[at] != tag_of(hashed))
            continue;
        const struct record *standing =
            identity->record_at(identity->context, identity->numbers[at] - 1);
        if (!standing)
            return IDENTITY_UNREADABLE;
        if (record_same(standing, record))
            return IDENTITY_KNOWN;
    }
    return IDENTITY_NEW;
}

void identity_insert(struct identity *identity, const struct record *record, uint32_t number)
{
    if (is_behind_all(identity, record)) {
        identity->last_high = record_high(record);
        identity->last_low = low_bits(record);
    }
    place(identity, hash(identity, record), number);
}

void identity_clear(struct identity *identity)
{
    if (identity->capacity > CAPACITY_START) {
        identity_clean(identity);
        return;
    }
    if (identity->used > 0)
        memset(identity->numbers, 0, identity->capacity * sizeof *identity->numbers);
    identity->used = 0;
    identity->last_high = identity->last_low = 0;
}
