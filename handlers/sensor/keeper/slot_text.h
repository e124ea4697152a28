/*
 * slot_text.h - rejected texts in the body of a slot, behind its records.
 *
 * Packed one after the other: a head, then the bytes. A text longer than a body travels in pieces,
 * which share an id. Worker and keeper are the same program: nothing of this is ever stored.
 */
#ifndef HEARTH_SENSOR_SLOT_TEXT_H
#define HEARTH_SENSOR_SLOT_TEXT_H

#include "handlers/sensor/keeper/slots.h"
#include "handlers/sensor/live/quarantine.h"

struct slot_text_head {
    uint64_t id;
    uint32_t length;
    uint32_t count;  /* readings */
    uint16_t reason; /* enum record_reject */
    uint16_t part, parts;
    char source[10]; /* cut, terminated */
};

enum { SLOT_TEXT_BYTES = SLOT_CONTENT_BYTES - (int)sizeof(struct slot_text_head) };

/* A piece of a rejected reading: [at, at + length) of its raw text. */
struct slot_piece {
    const struct rejected_reading *reading;
    size_t at, length;
    unsigned part, parts;
    uint64_t id;
};

/* Cuts a text into pieces of at most SLOT_TEXT_BYTES, between characters where it is UTF-8. Gives
 * back how many there are. */
size_t slot_text_pieces(struct view raw);
/* Where the piece that begins at `at` ends. */
size_t slot_text_piece_end(struct view raw, size_t at);

/* False when the body has no room for it. */
bool slot_text_put(struct slot_body *body, const struct slot_piece *piece);
/* The text at `*at` (0 at first) of the body's texts, as an entry for the quarantine; its views
 * point into the body, whose owner must not change it. False at the end, or when what stands there
 * makes no sense. */
bool slot_text_next(const struct slot_body *body, size_t *at, struct quarantine_entry *entry);

#endif
