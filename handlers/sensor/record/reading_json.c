/*
 * reading_json.c - one reading as a JSON object.
 *
 * The text is known to be JSON, so the members are taken from it one by one, without a tree: a
 * reading is flat, and what is nested in it means nothing. Names and texts with escapes are decoded
 * into a few bytes on the stack; what does not fit there is no name and no time.
 */
#include "handlers/sensor/record/reading_json.h"

#include "handlers/sensor/text/ingest_json_scan.h"

enum { DECODED_BYTES = 64, DECODED_TEXTS = 4 };

struct decoded {
    char bytes[DECODED_BYTES];
};

/* The text between the quotes; one with escapes that is no ASCII of DECODED_BYTES stays as it is.
 */
static struct view string_text(struct view value, struct decoded *decoded)
{
    struct view text = view_slice(value, 1, value.length - 2);
    size_t length;
    if (view_index_of(text, '\\') == SIZE_MAX)
        return text;
    return ingest_json_unescape(text, decoded->bytes, DECODED_BYTES, &length)
               ? view_from(decoded->bytes, length)
               : text;
}

static struct reading_value value_of(struct view text, struct decoded *decoded)
{
    switch (text.data[0]) {
    case '"':
        return (struct reading_value){VALUE_TEXT, string_text(text, decoded)};
    case 't':
        return (struct reading_value){VALUE_TRUE, text};
    case 'f':
        return (struct reading_value){VALUE_FALSE, text};
    case 'n':
        return (struct reading_value){VALUE_ABSENT, text};
    case '{':
    case '[':
        return (struct reading_value){VALUE_OTHER, text};
    default:
        return (struct reading_value){VALUE_NUMBER, text};
    }
}

/* Only these may be text: where its decoded form lies, should it have escapes. */
static struct decoded *place_for(enum reading_field field, struct decoded decoded[DECODED_TEXTS])
{
    static const enum reading_field fields[DECODED_TEXTS - 1] = {FIELD_TIME, FIELD_SENSOR_TIMESTAMP,
                                                                 FIELD_CHANNEL};
    size_t place = 0;
    while (place < DECODED_TEXTS - 1 && fields[place] != field)
        place++;
    return &decoded[place];
}

enum record_reject reading_from_json(struct view text, const struct reading_options *options,
                                     struct reading *reading, uint64_t *ignored,
                                     struct error_record *error)
{
    struct reading_fields fields = {.has_time_ms = false};
    struct decoded decoded[DECODED_TEXTS], key_bytes;
    struct view key, value;
    error->code = HEARTH_OK;
    if (text.length == 0 || text.data[0] != '{')
        return REJECT_WRONG_TYPE;
    text = view_skip(text, 1);
    while (ingest_json_member(&text, &key, &value)) {
        enum reading_field field = reading_field_of(string_text(key, &key_bytes));
        if (field == FIELD_COUNT)
            ++*ignored;
        else
            fields.values[field] = value_of(value, place_for(field, decoded));
    }
    return reading_from_fields(&fields, options, reading, ignored, error);
}
