/*
 * identity.h - have we got this reading? A hash table of record numbers.
 *
 * Open addressing with linear probing over the identity bits (95..10) of a record. A place holds
 * the record's number in the store (4 bytes) and 8 bits of its hash (1 byte), no more: what a
 * number stands for is asked of `record_at`, and a hit is verified against the record itself. Grows
 * from nothing by doubling, at three quarters full. What is behind all that were inserted, as
 * readings mostly are, is new without a look at the table. One thread.
 */
#ifndef HEARTH_SENSOR_IDENTITY_H
#define HEARTH_SENSOR_IDENTITY_H

#include "hearth/reading_store.h"

/* The record of that number, valid until the next call, or NULL when it cannot be read. */
typedef const struct record *identity_record_fn(void *context, uint32_t number);

struct identity {
    uint32_t *numbers; /* number + 1; 0 = free */
    uint8_t *tags;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
    uint64_t seed;                /* so that nobody can choose what collides */
    uint64_t last_high, last_low; /* the identity bits of the last one in order */
    identity_record_fn *record_at;
    void *context;
};

#define IDENTITY_NUMBER_MAX (UINT32_MAX - 1)

void identity_init(struct identity *identity, identity_record_fn *record_at, void *context);
void identity_clean(struct identity *identity);
/* Room for `count` more. Errors: NO_MEMORY, IO (a record could not be read); nothing changed then.
 */
HEARTH_MUST_CHECK enum hearth_error identity_reserve(struct identity *identity, size_t count);
enum identity_answer {
    IDENTITY_NEW,
    IDENTITY_KNOWN,
    IDENTITY_UNREADABLE, /* a record that may be the same could not be read */
};
HEARTH_MUST_CHECK enum identity_answer identity_find(const struct identity *identity,
                                                     const struct record *record);
/* It must not be there, and there must be room. */
void identity_insert(struct identity *identity, const struct record *record, uint32_t number);
/* Does `a` come before `b`, by the identity bits alone? */
bool identity_before(const struct record *a, const struct record *b);
/* Takes everything out. */
void identity_clear(struct identity *identity);

#endif
