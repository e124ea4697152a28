/*
 * config_source.h - the text of a configuration file together with the files it includes.
 *
 * libconfig could open included files itself, but it ends the program when one of them is a
 * directory, forgets half a comment at the end of a file, cuts text at a NUL and silently wraps
 * integers that need 64 bits. So the files are read here, into one text that is safe to parse, with
 * a map from its lines back to the lines of the files.
 */
#ifndef HEARTH_CONFIG_SOURCE_H
#define HEARTH_CONFIG_SOURCE_H

#include "hearth/base.h"

/* From `text_line` on, the text is that of `file` from `file_line` on. */
struct config_piece {
    unsigned text_line, file_line;
    const char *file; /* in the arena */
};

struct config_source {
    struct arena *arena;
    struct buffer text; /* NUL-terminated behind its length */
    unsigned line;      /* of the text, while it is made: 1 and up; 0 = the file as a whole */
    struct config_piece *pieces;
    size_t piece_count, piece_capacity;
    unsigned include_count;
    bool broken; /* a comment or string has no end: a syntax error would only say so again */
    bool out_of_memory;
    /* Told of every problem, with the line of the text. */
    void (*problem)(void *context, unsigned line, const char *what);
    void *context;
};

/* Reads `path` and what it includes. `arena` holds names and must outlive the source. Whatever goes
 * wrong is told to `problem`; what could be read is in `text` and can be parsed. */
void config_source_read(struct config_source *source, struct arena *arena, const char *path,
                        void (*problem)(void *context, unsigned line, const char *what),
                        void *context);
void config_source_clean(struct config_source *source); /* overwrites the text */
/* Where a line of the text stands: "FILE:LINE", in the arena; NULL when memory ran out. Line 0 is
 * the main file as a whole. */
char *config_source_where(const struct config_source *source, unsigned line);
/* The directory of the file that a line stands in, with its slash; "" = the current one. */
struct view config_source_directory(const struct config_source *source, unsigned line);
/* A line of the text, without its newline. */
struct view config_source_line(const struct config_source *source, unsigned line);

#endif
