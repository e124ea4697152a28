/*
 * config_source.c - several files, one text, and the way back from a line to its file.
 *
 * A scanner knows just enough of libconfig's grammar to walk over comments, strings, names and
 * numbers (the patterns are those of libconfig's scanner.l). It copies everything, except that
 *   - `@include "FILE"` at the start of a line is replaced by the file (relative names are relative
 *     to the including file, at most 10 deep);
 *   - an integer beyond 32 bits gets the suffix L it needs, one beyond 64 bits is clamped to the
 *     largest or smallest, which no row allows;
 *   - comments and strings without an end are told, and ended.
 * The map is a list of pieces: where in the text another file begins or goes on.
 */
#include "app/core/config_source.h"

#include "app/core/config_file.h"
#include "app/core/memory.h"
#include "hearth/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INCLUDE_DEPTH = 10,
    INCLUDE_COUNT = 256, /* in all: files that include each other twice double at each step */
};

/* What all files together may come to. */
#define TEXT_MAXIMUM (4 * (size_t)LIMIT_CONFIG_FILE)

/* A file while it is copied. */
struct scan {
    struct config_source *source;
    const char *file; /* in the arena */
    struct view rest;
    unsigned line; /* of the file */
    unsigned depth;
    bool line_start; /* nothing but blanks since the newline */
};

static void read_file(struct config_source *source, const char *path, unsigned depth);

static void tell(struct config_source *source, const char *what)
{
    source->problem(source->context, source->line, what);
}

static void emit(struct scan *scan, size_t count)
{
    struct config_source *source = scan->source;
    struct view part = view_slice(scan->rest, 0, count);
    (void)buffer_append(&source->text, part); /* the buffer's failure sticks */
    for (size_t i = 0; i < part.length; i++) {
        if (part.data[i] == '\n') {
            source->line++;
            scan->line++;
            scan->line_start = true;
        }
    }
    scan->rest = view_skip(scan->rest, count);
}

static char peek(const struct scan *scan, size_t at)
{
    if (at >= scan->rest.length)
        return '\0';
    return scan->rest.data[at];
}

/* ---- Pieces ---- */

static void begin_piece(struct config_source *source, const char *file, unsigned file_line)
{
    if (source->piece_count == source->piece_capacity) {
        size_t capacity = source->piece_capacity * 2 + 8;
        struct config_piece *grown = memory_resize(source->pieces, capacity * sizeof *grown);
        if (!grown) {
            source->out_of_memory = true;
            return;
        }
        source->pieces = grown;
        source->piece_capacity = capacity;
    }
    source->pieces[source->piece_count++] = (struct config_piece){source->line, file_line, file};
}

static const struct config_piece *piece_of(const struct config_source *source, unsigned line)
{
    const struct config_piece *found = NULL;
    for (size_t i = 0; i < source->piece_count; i++) {
        if (found && source->pieces[i].text_line > line)
            break;
        found = &source->pieces[i];
    }
    return found;
}

/* ---- Tokens ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void copy_name(struct scan *scan)
{
    size_t end = 1;
    for (char c = peek(scan, end); is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '*';)
        c = peek(scan, ++end);
    emit(scan, end);
}

static void copy_line_comment(struct scan *scan)
{
    size_t end = view_index_of(scan->rest, '\n');
    emit(scan, end == SIZE_MAX ? scan->rest.length : end);
}

static void copy_block_comment(struct scan *scan)
{
    size_t end = view_find(view_skip(scan->rest, 2), VIEW("*/"));
    if (end != SIZE_MAX) {
        emit(scan, end + 4);
        return;
    }
    tell(scan->source, "a comment begins here and has no end");
    scan->source->broken = true;
    scan->rest = VIEW_NONE;
}

static size_t string_end(const struct scan *scan)
{
    for (size_t i = 1; i < scan->rest.length; i++) {
        if (scan->rest.data[i] == '\\')
            i++;
        else if (scan->rest.data[i] == '"')
            return i + 1;
    }
    return 0;
}

static bool has_nul_escape(struct view string)
{
    for (size_t i = 0; i + 3 < string.length; i++) {
        if (string.data[i] != '\\')
            continue;
        if (string.data[i + 1] == 'x' && string.data[i + 2] == '0' && string.data[i + 3] == '0')
            return true;
        i++;
    }
    return false;
}

static void copy_string(struct scan *scan)
{
    size_t end = string_end(scan);
    if (end == 0) {
        tell(scan->source, "a string begins here and has no end");
        scan->source->broken = true;
        scan->rest = VIEW_NONE;
        return;
    }
    if (has_nul_escape(view_slice(scan->rest, 0, end)))
        tell(scan->source, "a string cannot hold \\x00");
    emit(scan, end);
}

/* Writes an integer so that libconfig reads the same number. */
static void emit_integer(struct scan *scan, size_t digits, int base)
{
    char text[64];
    size_t suffix = 0;
    while (suffix < 2 && peek(scan, digits + suffix) == 'L')
        suffix++;
    if (digits >= sizeof text) {
        bool negative = peek(scan, 0) == '-';
        (void)buffer_append_text(&scan->source->text,
                                 negative ? "-9223372036854775808L" : "9223372036854775807L");
        scan->rest = view_skip(scan->rest, digits + suffix);
        return;
    }
    memcpy(text, scan->rest.data, digits);
    text[digits] = '\0';
    errno = 0;
    long long number = strtoll(text, NULL, base);
    if (errno == 0 && number >= INT32_MIN && number <= INT32_MAX) {
        emit(scan, digits + suffix);
        return;
    }
    (void)buffer_append_format(&scan->source->text, "%lldL", number);
    scan->rest = view_skip(scan->rest, digits + suffix);
}

static void copy_number(struct scan *scan)
{
    size_t end = peek(scan, 0) == '-' || peek(scan, 0) == '+' ? 1 : 0;
    if (end == 0 && peek(scan, 0) == '0' && (peek(scan, 1) == 'x' || peek(scan, 1) == 'X')) {
        end = 2;
        while (is_hex_digit(peek(scan, end)))
            end++;
        emit_integer(scan, end, 16);
        return;
    }
    while (is_digit(peek(scan, end)))
        end++;
    char next = peek(scan, end);
    if (next != '.' && next != 'e' && next != 'E') {
        emit_integer(scan, end, 10);
        return;
    }
    /* A number with a fraction: libconfig's business, and refused by every row. */
    while (is_digit(next) || next == '.' || next == 'e' || next == 'E')
        next = peek(scan, ++end);
    emit(scan, end);
}

static bool number_begins(const struct scan *scan)
{
    char first = peek(scan, 0);
    return is_digit(first) ||
           ((first == '-' || first == '+' || first == '.') && is_digit(peek(scan, 1)));
}

/* ---- Includes ---- */

/* The quoted name of an include directive at the scan's place, and the directive's length. */
static bool include_directive(const struct scan *scan, struct view *name, size_t *length)
{
    size_t at = sizeof "@include" - 1;
    if (!view_starts_with(scan->rest, VIEW("@include")) || !is_blank(peek(scan, at)))
        return false;
    while (is_blank(peek(scan, at)))
        at++;
    if (peek(scan, at) != '"')
        return false;
    struct view rest = view_skip(scan->rest, at + 1);
    size_t end = view_index_of(rest, '"');
    if (end == SIZE_MAX)
        return false;
    *name = view_slice(rest, 0, end);
    *length = at + 1 + end + 1;
    return view_index_of(*name, '\n') == SIZE_MAX;
}

static struct view directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? view_from(file, (size_t)(slash - file) + 1) : VIEW_NONE;
}

static void include(struct scan *scan, struct view name)
{
    struct config_source *source = scan->source;
    struct view directory =
        name.length && name.data[0] == '/' ? VIEW_NONE : directory_of(scan->file);
    const char *path =
        arena_format(source->arena, "%.*s%.*s", VIEW_ARGUMENTS(directory), VIEW_ARGUMENTS(name));
    source->include_count++;
    if (!path)
        source->out_of_memory = true;
    else if (source->include_count == INCLUDE_COUNT + 1)
        tell(source, "more than 256 files are included");
    else if (source->include_count <= INCLUDE_COUNT && scan->depth >= INCLUDE_DEPTH)
        tell(source, "files include each other too deeply (at most 10)");
    else if (source->include_count <= INCLUDE_COUNT)
        read_file(source, path, scan->depth + 1);
    begin_piece(source, scan->file, scan->line);
}

/* ---- Files ---- */

static void copy_token(struct scan *scan)
{
    struct view name;
    size_t length;
    char first = peek(scan, 0), second = peek(scan, 1);
    bool line_start = scan->line_start;
    scan->line_start = line_start && is_blank(first);
    if (first == '#' || (first == '/' && second == '/')) {
        copy_line_comment(scan);
    } else if (first == '/' && second == '*') {
        copy_block_comment(scan);
    } else if (first == '"') {
        copy_string(scan);
    } else if (line_start && include_directive(scan, &name, &length)) {
        scan->rest = view_skip(scan->rest, length);
        include(scan, name);
    } else if (number_begins(scan)) {
        copy_number(scan);
    } else if (is_letter(first) || first == '*') {
        copy_name(scan);
    } else {
        emit(scan, 1);
    }
}

static void copy_file(struct config_source *source, const char *path, struct buffer *content,
                      unsigned depth)
{
    struct scan scan = {
        .source = source, .file = path, .line = 1, .depth = depth, .line_start = true};
    bool holds_nul = false;
    if (source->line == 0)
        source->line = 1;
    for (size_t i = 0; i < content->length; i++) {
        if (content->data[i] == '\0') {
            content->data[i] = ' ';
            holds_nul = true;
        }
    }
    begin_piece(source, path, 1);
    if (holds_nul)
        tell(source, "the file holds NUL bytes: it is not text");
    scan.rest = buffer_view(content);
    while (scan.rest.length > 0 && source->text.failed == HEARTH_OK)
        copy_token(&scan);
    /* What includes this file goes on in a line of its own. */
    scan.rest = VIEW("\n");
    emit(&scan, 1);
}

static void read_file(struct config_source *source, const char *path, unsigned depth)
{
    struct buffer content;
    char reason[160];
    buffer_init(&content, LIMIT_CONFIG_FILE);
    enum hearth_error error = config_file_read(path, &content, NULL, reason, sizeof reason);
    if (error == HEARTH_OK) {
        copy_file(source, path, &content, depth);
    } else if (error == HEARTH_NO_MEMORY) {
        source->out_of_memory = true;
    } else {
        char *what = depth > 0 ? arena_format(source->arena, "%s %s", path, reason) : reason;
        if (what)
            tell(source, what);
        else
            source->out_of_memory = true;
    }
    if (content.data)
        explicit_bzero(content.data, content.length);
    buffer_clean(&content);
}

void config_source_read(struct config_source *source, struct arena *arena, const char *path,
                        void (*problem)(void *context, unsigned line, const char *what),
                        void *context)
{
    *source = (struct config_source){.arena = arena, .problem = problem, .context = context};
    buffer_init(&source->text, TEXT_MAXIMUM);
    begin_piece(source, path, 0); /* line 0 is the file as a whole */
    read_file(source, path, 0);
    char *end = buffer_reserve(&source->text, 1);
    if (end)
        *end = '\0';
    if (source->text.failed == HEARTH_BODY_TOO_LARGE)
        tell(source, "the file is too large with what it includes");
    else if (source->text.failed != HEARTH_OK)
        source->out_of_memory = true;
}

void config_source_clean(struct config_source *source)
{
    if (source->text.data)
        explicit_bzero(source->text.data, source->text.length);
    buffer_clean(&source->text);
    memory_free(source->pieces);
    source->pieces = NULL;
    source->piece_count = source->piece_capacity = 0;
}

char *config_source_where(const struct config_source *source, unsigned line)
{
    const struct config_piece *piece = piece_of(source, line);
    if (!piece)
        return arena_format(source->arena, "%s", "");
    if (line == 0)
        return arena_format(source->arena, "%s", piece->file);
    return arena_format(source->arena, "%s:%u", piece->file,
                        piece->file_line + (line - piece->text_line));
}

struct view config_source_directory(const struct config_source *source, unsigned line)
{
    const struct config_piece *piece = piece_of(source, line);
    return piece ? directory_of(piece->file) : VIEW_NONE;
}

struct view config_source_line(const struct config_source *source, unsigned line)
{
    struct view rest = buffer_view(&source->text);
    struct view found = VIEW_NONE;
    for (unsigned i = 0; i < line && rest.data; i++)
        found = view_split(&rest, '\n');
    return found;
}
