/*
 * fuzz_fcgi.c - whatever arrives on a FastCGI connection: as records, and as parameters.
 *
 * As records: a head that has arrived stays arrived however much follows. As parameters, one a
 * line: names of headers are in lower case with dashes, none is "proxy", and all that is given lies
 * in what came or in the arena.
 */
#include <stdlib.h>
#include <string.h>

#include "app/adapter/fcgi_params.h"
#include "app/adapter/fcgi_records.h"
#include "hearth/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MAX_PARAMETERS = 256, MAX_INPUT = 65536 };

/* ---- Records ---- */

static void check_records(const uint8_t *data, size_t size)
{
    bool arrived = false;
    for (size_t length = 0; length <= size; length += length < 64 ? 1 : 61) {
        const bool now = fcgi_head_has_arrived(view_from((const char *)data, length));
        CHECK(now || !arrived);
        arrived = now;
    }
    for (size_t at = 0; at + FCGI_HEADER_BYTES <= size; at += FCGI_HEADER_BYTES) {
        struct fcgi_record record;
        fcgi_record_parse(data + at, &record);
        CHECK(record.content_bytes <= UINT16_MAX && record.padding_bytes <= UINT8_MAX);
        CHECK(!fcgi_record_is_input_end(data + at) || record.content_bytes == 0);
    }
}

/* ---- Parameters ---- */

static size_t split_lines(char *text, size_t size, char **parameters)
{
    size_t count = 0;
    for (char *line = text; line < text + size && count < MAX_PARAMETERS;) {
        char *end = memchr(line, '\n', (size_t)(text + size - line));
        end = end ? end : text + size;
        *end = '\0';
        parameters[count++] = line;
        line = end + 1;
    }
    parameters[count] = NULL;
    return count;
}

static bool within(struct view part, const char *text, size_t size)
{
    return part.length == 0 || (part.data >= text && part.data + part.length <= text + size);
}

static void check_headers(const struct fcgi_params *params, const char *text, size_t size)
{
    for (size_t i = 0; i < params->input.headers.count; i++) {
        const struct pair *header = &params->input.headers.items[i];
        CHECK(within(header->value, text, size));
        CHECK(!view_equal(header->name, VIEW("proxy")));
        for (size_t j = 0; j < header->name.length; j++) {
            const char byte = header->name.data[j];
            CHECK(byte != '_' && !(byte >= 'A' && byte <= 'Z'));
        }
    }
}

static void check_parameters(const uint8_t *data, size_t size)
{
    static char text[MAX_INPUT + 1];
    char *parameters[MAX_PARAMETERS + 1];
    memcpy(text, data, size);
    const size_t count = split_lines(text, size, parameters);
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    CHECK(arena);
    struct fcgi_params params;
    CHECK(fcgi_params_read(arena, parameters, &params) == HEARTH_OK);
    CHECK(params.declared_bytes >= -1);
    CHECK(params.input.headers.count <= count + 1);
    CHECK(params.input.target.length > 0);
    CHECK(within(params.input.method, text, size));
    CHECK(within(params.input.peer_address, text, size));
    check_headers(&params, text, size);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= MAX_INPUT) {
        check_records(data, size);
        check_parameters(data, size);
    }
    return 0;
}
