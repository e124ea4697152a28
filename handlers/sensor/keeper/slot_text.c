/*
 * slot_text.c - rejected texts in the body of a slot, behind its records.
 */
#include "handlers/sensor/keeper/slot_text.h"

#include "app/core/utf8.h"

#include <stdio.h>
#include <string.h>

size_t slot_text_piece_end(struct view raw, size_t at)
{
    return at + utf8_cut(view_skip(raw, at), SLOT_TEXT_BYTES).length;
}

size_t slot_text_pieces(struct view raw)
{
    size_t pieces = 0, at = 0;
    do {
        at = slot_text_piece_end(raw, at);
        pieces++;
    } while (at < raw.length);
    return pieces;
}

static size_t texts_at(const struct slot_body *body)
{
    return (size_t)body->record_count * RECORD_BYTES;
}

bool slot_text_put(struct slot_body *body, const struct slot_piece *piece)
{
    struct slot_text_head head = {
        .id = piece->id,
        .length = (uint32_t)piece->length,
        .count = (uint32_t)piece->reading->count,
        .reason = (uint16_t)piece->reading->reason,
        .part = (uint16_t)piece->part,
        .parts = (uint16_t)piece->parts,
    };
    size_t at = texts_at(body) + body->text_bytes;
    if (at + sizeof head + piece->length > sizeof body->content)
        return false;
    snprintf(head.source, sizeof head.source, "%s", piece->reading->source);
    memcpy(body->content + at, &head, sizeof head);
    if (piece->length > 0)
        memcpy(body->content + at + sizeof head, piece->reading->raw.data + piece->at,
               piece->length);
    body->text_bytes += (uint32_t)(sizeof head + piece->length);
    return true;
}

bool slot_text_next(const struct slot_body *body, size_t *at, struct quarantine_entry *entry)
{
    struct slot_text_head head;
    const unsigned char *texts = body->content + texts_at(body);
    if (*at + sizeof head > body->text_bytes)
        return false;
    memcpy(&head, texts + *at, sizeof head);
    const char *place = (const char *)texts + *at;
    if (head.length > body->text_bytes - *at - sizeof head)
        return false;
    size_t source_length = strnlen(head.source, sizeof head.source);
    *entry = (struct quarantine_entry){
        .reason = record_reject_name((enum record_reject)head.reason),
        .source = view_from(place + offsetof(struct slot_text_head, source), source_length),
        .raw = view_from(place + sizeof head, head.length),
        .count = head.count,
        .part = head.part,
        .parts = head.parts,
        .id = head.id,
    };
    *at += sizeof head + head.length;
    return true;
}
