/*
 * base.h - what every part of Hearth is written in: errors, views, arenas, buffers.
 *
 * Nothing here allocates behind the caller's back, aborts, or keeps global state. Unless a
 * declaration says otherwise, an object may be used by one thread at a time.
 */
#ifndef HEARTH_BASE_H
#define HEARTH_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_MUST_CHECK              __attribute__((warn_unused_result))
#define HEARTH_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))

/* ---- Errors --------------------------------------------------------------------------------
 *
 * The closed set of ways in which an operation ends. One row each: the name, the HTTP status a
 * client sees when the error reaches it, and a title for people. The name's spelling
 * (error_name(): "BODY_TOO_LARGE") is what logs and metrics carry, unchanged.
 *
 * An error says what kind; where and why go into a struct error_record.
 */
#define HEARTH_ERRORS(X)                                                                           \
    X(OK, 200, "OK")                                                                               \
    X(BAD_REQUEST, 400, "Bad request")                                                             \
    X(BAD_PATH, 400, "Bad path")                                                                   \
    X(BAD_QUERY, 400, "Bad query")                                                                 \
    X(BAD_HEADER, 400, "Bad header")                                                               \
    X(BAD_LENGTH, 400, "Body and its length disagree")                                             \
    X(BAD_BODY, 400, "Bad body")                                                                   \
    X(UNAUTHORIZED, 401, "Authorization needed")                                                   \
    X(FORBIDDEN, 403, "Not allowed")                                                               \
    X(NOT_FOUND, 404, "Not found")                                                                 \
    X(METHOD_NOT_ALLOWED, 405, "Method not allowed")                                               \
    X(NOT_ACCEPTABLE, 406, "Not acceptable")                                                       \
    X(REQUEST_TIMEOUT, 408, "The request took too long to arrive")                                 \
    X(CONFLICT, 409, "Conflict")                                                                   \
    X(PRECONDITION_FAILED, 412, "Precondition failed")                                             \
    X(BODY_TOO_LARGE, 413, "Body too large")                                                       \
    X(URI_TOO_LONG, 414, "Address too long")                                                       \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported media type")                                       \
    X(RANGE_NOT_SATISFIABLE, 416, "Range not satisfiable")                                         \
    X(PRECONDITION_REQUIRED, 428, "Precondition required")                                         \
    X(TOO_MANY_REQUESTS, 429, "Too many requests")                                                 \
    X(HEAD_TOO_LARGE, 431, "Header fields too large")                                              \
    X(CLIENT_GONE, 499, "The client went away")                                                    \
    X(INTERNAL, 500, "Internal error")                                                             \
    X(MISUSE, 500, "Internal error")                                                               \
    X(CORRUPT, 500, "Stored data is damaged")                                                      \
    X(UNSUPPORTED, 501, "Not supported")                                                           \
    X(BAD_GATEWAY, 502, "Bad gateway")                                                             \
    X(NO_MEMORY, 503, "Out of memory")                                                             \
    X(BUSY, 503, "Busy")                                                                           \
    X(UNAVAILABLE, 503, "Unavailable")                                                             \
    X(DISK_FULL, 503, "Disk full")                                                                 \
    X(IO, 503, "Storage failed")                                                                   \
    X(LOCKED, 503, "In use by another process")                                                    \
    X(DEADLINE, 504, "Took too long")

enum hearth_error {
#define HEARTH_ERROR_MEMBER(name, status, title) HEARTH_##name,
    HEARTH_ERRORS(HEARTH_ERROR_MEMBER)
#undef HEARTH_ERROR_MEMBER
        HEARTH_ERROR_COUNT
};

/* "OK", "BAD_REQUEST", ... Never NULL; "UNKNOWN" for a number outside the set. */
const char *error_name(enum hearth_error error);
/* The HTTP status of the table above; 500 for a number outside the set. */
int error_http_status(enum hearth_error error);
/* The title for people. Never NULL, never an internal detail. */
const char *error_title(enum hearth_error error);
/* The error that an errno value means: ENOSPC and EDQUOT are DISK_FULL, ENOENT is NOT_FOUND, ENOMEM
 * is NO_MEMORY, EEXIST is CONFLICT, EPIPE and ECONNRESET are CLIENT_GONE, all else is IO. */
enum hearth_error error_from_errno(int number);

/* What happened, for the log and, where `public_detail` is true, for the client's problem document.
 */
struct error_record {
    enum hearth_error code;
    int number;         /* errno, or 0 */
    bool public_detail; /* the detail was written for the client to read */
    char detail[240];   /* cut, never overflowed; "" = none */
};

/* Fill `record` (may be NULL) and give back `code`, so that a caller can `return error_set(...)`.
 * error_set writes a detail a client may read; error_set_internal one that only the log shows, with
 * `number` = errno or 0. */
enum hearth_error error_set(struct error_record *record, enum hearth_error code, const char *format,
                            ...) HEARTH_PRINTF(3, 4);
enum hearth_error error_set_internal(struct error_record *record, enum hearth_error code,
                                     int number, const char *format, ...) HEARTH_PRINTF(4, 5);

/* What an operator reads: the detail (without one the error's title), and the system's reason when
 * there is a number and the detail does not say it already. */
void error_describe(const struct error_record *record, enum hearth_error code, char *text,
                    size_t text_size);

/* ---- Views: text that somebody else owns ----------------------------------------------------
 *
 * By value, not NUL-terminated, may hold any bytes. A view lives as long as what it points into.
 * {NULL, 0} is the empty view; an empty view with a pointer equals it.
 */
struct view {
    const char *data;
    size_t length;
};

#define VIEW(literal) ((struct view){(literal), sizeof(literal) - 1})
#define VIEW_NONE     ((struct view){NULL, 0})
/* For printf: printf("%.*s", VIEW_ARGUMENTS(v)) */
#define VIEW_ARGUMENTS(v) (int)(v).length, ((v).data ? (v).data : "")

struct view view_of(const char *text); /* NULL gives the empty view */
struct view view_from(const char *data, size_t length);
bool view_equal(struct view a, struct view b);
bool view_equal_ignore_case(struct view a, struct view b); /* ASCII only */
bool view_starts_with(struct view text, struct view prefix);
bool view_starts_with_ignore_case(struct view text, struct view prefix);
bool view_ends_with(struct view text, struct view suffix);
struct view view_slice(struct view text, size_t from, size_t length); /* clamped to the text */
struct view view_skip(struct view text, size_t count);                /* clamped */
struct view view_trim(struct view text); /* SP and HTAB on both sides */
/* The index of the first `c`, or SIZE_MAX. */
size_t view_index_of(struct view text, char c);
/* The index of the first `part`, or SIZE_MAX; an empty part is found at 0. */
size_t view_find(struct view text, struct view part);
/* Cuts the text before the first `separator` off `*rest` and gives it back; `*rest` goes on behind
 * the separator. Without a separator everything is given back and `*rest` is the empty view with
 * NULL data. Loop: `while (rest.data) { part = view_split(&rest, ','); ... }` */
struct view view_split(struct view *rest, char separator);
/* Whole view as a decimal number; false when empty, not a number, or out of range. Signs only for
 * int64 ('-'). */
bool view_to_uint64(struct view text, uint64_t *number);
bool view_to_int64(struct view text, int64_t *number);
/* Compares without a branch on the content; the time depends on the lengths alone. */
bool view_equal_constant_time(struct view a, struct view b);

/* ---- Arenas: memory that lives as long as a request ----------------------------------------
 *
 * Blocks from malloc, cut upwards, freed together. Allocations are 16-byte aligned. When the cap
 * would be passed or malloc fails, NULL comes back (a caller turns it into HEARTH_NO_MEMORY); the
 * arena stays usable. Cleanup hooks run last-in-first-out at arena_reset and arena_free.
 */
struct arena;

typedef void arena_cleanup_fn(void *context);

/* NULL when memory ran out. `max_bytes` caps the sum of all blocks. The first block is allocated at
 * the first use, so that an idle arena costs a hundred bytes. */
struct arena *arena_new(size_t max_bytes);
void arena_free(struct arena *arena); /* NULL is allowed */
/* Runs the hooks, keeps the first block for the next use, frees the others. */
void arena_reset(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size); /* uninitialised; size 0 gives a pointer */
void *arena_alloc_zero(struct arena *arena, size_t size);          /* all zero */
void *arena_array(struct arena *arena, size_t count, size_t size); /* zeroed; overflow-checked */
/* A copy with a NUL behind it; {NULL, 0} when memory ran out (a copy of an empty view has data). */
struct view arena_copy(struct arena *arena, struct view text);
/* printf into the arena, NUL-terminated; NULL when memory ran out. */
char *arena_format(struct arena *arena, const char *format, ...) HEARTH_PRINTF(2, 3);
/* Errors: HEARTH_NO_MEMORY (the hook was not kept; the caller still owns its resource). */
HEARTH_MUST_CHECK enum hearth_error arena_on_reset(struct arena *arena, arena_cleanup_fn *cleanup,
                                                   void *context);
size_t arena_used(const struct arena *arena); /* bytes in blocks held now */

/* ---- Buffers: text that grows, up to a maximum said at birth ---------------------------------
 *
 * The content is contiguous. An append that would pass `max_bytes` fails with
 * HEARTH_BODY_TOO_LARGE, one that finds no memory with HEARTH_NO_MEMORY; either leaves the content
 * as it was and makes `failed` stick, so that a row of appends can be checked once through
 * buffer_status().
 */
struct buffer {
    char *data;
    size_t length, capacity, max_bytes;
    enum hearth_error failed;
};

void buffer_init(struct buffer *buffer, size_t max_bytes); /* allocates nothing */
void buffer_clean(struct buffer *buffer);                  /* frees; the buffer may be used again */
void buffer_reset(struct buffer *buffer); /* length 0, failure cleared, memory kept */
enum hearth_error buffer_append(struct buffer *buffer, struct view text);
enum hearth_error buffer_append_text(struct buffer *buffer, const char *text);
enum hearth_error buffer_append_byte(struct buffer *buffer, char byte);
enum hearth_error buffer_append_int64(struct buffer *buffer, int64_t number);
enum hearth_error buffer_append_format(struct buffer *buffer, const char *format, ...)
    HEARTH_PRINTF(2, 3);
/* A JSON string with its quotes (RFC 8259). Bytes that are not UTF-8 become U+FFFD. */
enum hearth_error buffer_append_json(struct buffer *buffer, struct view text);
/* Text for HTML content and double-quoted attributes: & < > " ' escaped. */
enum hearth_error buffer_append_html(struct buffer *buffer, struct view text);
/* Room for `size` more bytes; gives the place to write at, or NULL (failure sticks). The caller
 * adds what it wrote to `length`. */
char *buffer_reserve(struct buffer *buffer, size_t size);
HEARTH_MUST_CHECK enum hearth_error buffer_status(const struct buffer *buffer);
struct view buffer_view(const struct buffer *buffer);

#endif
