/*
 * fcgi_params.c - one walk over the parameters, then a second over the headers they gave.
 *
 * HTTP_X_FOO becomes the header x-foo, in place. CONTENT_TYPE and CONTENT_LENGTH become headers as
 * well; their HTTP_ twins, which some fronts send too, do not, so that neither header comes twice.
 * HTTP_PROXY is dropped, since programs take it for their own configuration (httpoxy).
 *
 * A header that comes twice is handed on twice, X-Forwarded-For and its like above all: the core
 * believes none that came twice, and must see that they came, since whoever is spoken for is not on
 * this machine. The shipped configurations of the fronts take such headers away and say in
 * HEARTH_FORWARDED that there were some.
 *
 * A NUL byte in a name or value, which HTTP does not allow and fronts refuse, ends it: libfcgi
 * hands parameters on as strings, so that what stood behind it cannot be seen here, nor refused.
 *
 * Parameters that decide about trust and are no headers count only when they come once.
 */
#include "app/adapter/fcgi_params.h"

#include <string.h>

/* What decides about trust; each counts only when it comes once. */
enum trusted { TRUSTED_REMOTE_ADDR, TRUSTED_HTTPS, TRUSTED_REQUEST_SCHEME, TRUSTED_COUNT };

/* With their lengths: they are compared with every parameter of every request. */
#define NAME(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct view trusted_names[TRUSTED_COUNT] = {
    [TRUSTED_REMOTE_ADDR] = NAME("REMOTE_ADDR"),
    [TRUSTED_HTTPS] = NAME("HTTPS"),
    [TRUSTED_REQUEST_SCHEME] = NAME("REQUEST_SCHEME"),
};

/* The parameters that are no headers; each is taken the first time it comes. */
enum known {
    KNOWN_METHOD,
    KNOWN_URI,
    KNOWN_SCRIPT_NAME,
    KNOWN_PATH_INFO,
    KNOWN_QUERY_STRING,
    KNOWN_SOFTWARE,
    KNOWN_COUNT
};

static const struct view known_names[KNOWN_COUNT] = {
    [KNOWN_METHOD] = NAME("REQUEST_METHOD"),     [KNOWN_URI] = NAME("REQUEST_URI"),
    [KNOWN_SCRIPT_NAME] = NAME("SCRIPT_NAME"),   [KNOWN_PATH_INFO] = NAME("PATH_INFO"),
    [KNOWN_QUERY_STRING] = NAME("QUERY_STRING"), [KNOWN_SOFTWARE] = NAME("SERVER_SOFTWARE"),
};

struct reader {
    struct fcgi_params *params;
    struct view known[KNOWN_COUNT];
    struct view trusted[TRUSTED_COUNT];
    unsigned trusted_seen[TRUSTED_COUNT];
    struct view http_content_type; /* used when CONTENT_TYPE has nothing to say */
    bool has_content_type;
};

/* Most names differ in their length already. */
static inline bool is(struct view name, struct view wanted)
{
    return name.length == wanted.length && memcmp(name.data, wanted.data, name.length) == 0;
}

static void add_header(struct reader *reader, struct view name, struct view value)
{
    struct pairs *headers = &reader->params->input.headers;
    headers->items[headers->count++] = (struct pair){name, value};
}

static void note_trusted(struct reader *reader, struct view name, struct view value)
{
    for (size_t i = 0; i < TRUSTED_COUNT; i++) {
        if (is(name, trusted_names[i])) {
            reader->trusted[i] = value;
            reader->trusted_seen[i]++;
        }
    }
}

/* ---- Headers ---- */

static void lower_header_name(char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z') {
            name[i] = (char)(name[i] - 'A' + 'a');
        } else if (name[i] == '_') {
            name[i] = '-';
        }
    }
}

static void read_header(struct reader *reader, char *text, size_t length, struct view value)
{
    lower_header_name(text, length);
    const struct view name = view_from(text, length);
    if (is(name, VIEW("proxy")) || is(name, VIEW("content-length"))) {
        return;
    }
    if (is(name, VIEW("content-type"))) {
        reader->http_content_type = value;
        return;
    }
    add_header(reader, name, value);
}

static void read_content_length(struct reader *reader, struct view value)
{
    if (value.length == 0 || view_equal(value, VIEW("-1"))) { /* nginx, Caddy: not known */
        return;
    }
    uint64_t bytes;
    if (view_to_uint64(value, &bytes) && bytes <= INT64_MAX) {
        reader->params->declared_bytes = (int64_t)bytes;
    }
    add_header(reader, VIEW("content-length"), value);
}

/* ---- Everything else ---- */

static void read_parameter(struct reader *reader, char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals) {
        return; /* a NUL in the name; the library puts '=' behind every name */
    }
    const struct view name = view_from(text, (size_t)(equals - text));
    const struct view value = view_of(equals + 1);
    if (name.length >= 5 && memcmp(text, "HTTP_", 5) == 0) {
        read_header(reader, text + 5, name.length - 5, value);
    } else if (is(name, VIEW("CONTENT_LENGTH"))) {
        read_content_length(reader, value);
    } else if (is(name, VIEW("CONTENT_TYPE"))) {
        if (value.length > 0) {
            reader->has_content_type = true;
            add_header(reader, VIEW("content-type"), value);
        }
    } else if (is(name, VIEW("HEARTH_FORWARDED"))) {
        reader->params->input.forwarded |= value.length > 0;
    } else {
        note_trusted(reader, name, value);
        for (size_t i = 0; i < KNOWN_COUNT; i++) {
            if (is(name, known_names[i]) && !reader->known[i].data) {
                reader->known[i] = value;
            }
        }
    }
}

static struct view trusted_value(const struct reader *reader, enum trusted which)
{
    return reader->trusted_seen[which] == 1 ? reader->trusted[which] : VIEW_NONE;
}

static struct view read_scheme(const struct reader *reader)
{
    const struct view https = trusted_value(reader, TRUSTED_HTTPS);
    if (view_equal_ignore_case(https, VIEW("on")) || view_equal(https, VIEW("1"))) {
        return VIEW("https");
    }
    return trusted_value(reader, TRUSTED_REQUEST_SCHEME);
}

/* Caddy ends the answer properly towards its client, lighttpd as well when all of it came at once.
 */
static bool front_hides_breaks(struct view software)
{
    return view_starts_with(software, VIEW("Caddy")) ||
           view_starts_with(software, VIEW("lighttpd"));
}

/* ---- The target, where the front does not say what the client sent ---- */

static bool stands_for_itself(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~!$&'()*+,;=:@/", byte));
}

static char *encode_path(char *to, struct view path)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < path.length; i++) {
        const unsigned char byte = (unsigned char)path.data[i];
        if (stands_for_itself(path.data[i])) {
            *to++ = path.data[i];
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    return to;
}

/* SCRIPT_NAME and PATH_INFO are decoded paths, QUERY_STRING is as it was. */
static enum hearth_error make_target(struct arena *arena, const struct reader *reader,
                                     struct view *target)
{
    const struct view script = reader->known[KNOWN_SCRIPT_NAME];
    const struct view info = reader->known[KNOWN_PATH_INFO];
    const struct view query = reader->known[KNOWN_QUERY_STRING];
    char *text = arena_alloc(arena, 3 * (script.length + info.length) + query.length + 2);
    if (!text) {
        return HEARTH_NO_MEMORY;
    }
    char *to = encode_path(encode_path(text, script), info);
    if (to == text) {
        *to++ = '/';
    }
    if (query.length > 0) {
        *to++ = '?';
        memcpy(to, query.data, query.length);
        to += query.length;
    }
    *target = view_from(text, (size_t)(to - text));
    return HEARTH_OK;
}

enum hearth_error fcgi_params_read(struct arena *arena, char **parameters,
                                   struct fcgi_params *params)
{
    *params = (struct fcgi_params){.declared_bytes = -1};
    size_t count = 1; /* HTTP_CONTENT_TYPE may be added at the end */
    while (parameters[count - 1]) {
        count++;
    }
    params->input.headers.items = arena_array(arena, count, sizeof(struct pair));
    if (!params->input.headers.items) {
        return HEARTH_NO_MEMORY;
    }
    struct reader reader = {.params = params};
    for (char **text = parameters; *text; text++) {
        read_parameter(&reader, *text);
    }
    if (!reader.has_content_type && reader.http_content_type.length > 0) {
        add_header(&reader, VIEW("content-type"), reader.http_content_type);
    }
    params->input.method = reader.known[KNOWN_METHOD];
    params->input.peer_address = trusted_value(&reader, TRUSTED_REMOTE_ADDR);
    params->input.scheme = read_scheme(&reader);
    params->front_hides_breaks = front_hides_breaks(reader.known[KNOWN_SOFTWARE]);
    params->input.target = reader.known[KNOWN_URI];
    return params->input.target.length > 0 ? HEARTH_OK
                                           : make_target(arena, &reader, &params->input.target);
}
