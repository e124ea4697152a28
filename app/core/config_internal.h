/*
 * config_internal.h - what the files app/core/config*.c share; nobody else includes it.
 *
 * Loading goes through three steps: config_source reads the files into one text, config_read walks
 * libconfig's tree of it row by row, config_secret looks up what secrets refer to. Each step adds
 * what it finds to the struct config_loading, in the order of the lines.
 */
#ifndef HEARTH_CONFIG_INTERNAL_H
#define HEARTH_CONFIG_INTERNAL_H

#include "app/core/config_source.h"
#include "hearth/config.h"

enum {
    CONFIG_DEFAULT_MAXIMUM = 1024, /* of a row whose maximum is 0 */
    CONFIG_WHY_SIZE = 256,         /* what a validator may say */
    CONFIG_PROBLEMS_SHOWN = 1000,  /* after so many the file is not a configuration at all */
};

enum config_secret_form { CONFIG_SECRET_LITERAL, CONFIG_SECRET_ENV, CONFIG_SECRET_FILE };

/* One row's value. The member that counts follows from the row's type; texts live in the
 * configuration's arena. */
struct config_value {
    const struct config_row *row;
    const char *origin; /* "FILE:LINE"; NULL = default */
    int64_t integer;    /* INTEGER, BOOLEAN, CHOICE (index) */
    char *text;         /* STRING, SECRET; never NULL once loaded */
    const char **items; /* LIST */
    size_t item_count;
    enum config_secret_form form;
    const char *reference; /* SECRET: the name or path it was taken from; NULL for a literal */
};

struct config {
    struct arena *arena;
    const char *path;
    struct config_value *values; /* one a row, in the tables' order */
    size_t count;
};

/* One call of config_load. */
struct config_loading {
    struct config *config;
    struct config_source source;
    struct config_problems *problems;
    unsigned *lines; /* the source line of each problem, to keep them in order */
    size_t line_capacity;
    bool out_of_memory;
};

/* Adds a problem at a line of the source text. */
void config_found(struct config_loading *loading, unsigned line, const char *key,
                  const char *format, ...) HEARTH_PRINTF(4, 5);

/* NULL when no row has the key. */
struct config_value *config_find(const struct config *config, const char *key);
/* The row's maximum, with 0 read as it is documented. */
int64_t config_row_maximum(const struct config_row *row);
/* Sets a value from the row's `initial`. Errors: BAD_REQUEST, with the reason in `why`, when the
 * default breaks the row's own rules (a programming error); NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
config_set_default(struct config *config, struct config_value *value, char *why, size_t why_size);
/* Does an integer, or the text of a string, a secret or a list's item, keep the row's rules? */
bool config_integer_valid(const struct config_row *row, int64_t number, char *why, size_t why_size);
bool config_text_valid(const struct config_row *row, struct view text, char *why, size_t why_size);
/* The index among the row's choices, or -1. */
int config_choice_index(const struct config_row *row, struct view name);

/* Takes every setting below the root of libconfig's tree into the configuration, or says what is
 * wrong with it. */
struct config_setting_t;
void config_read_tree(struct config_loading *loading, struct config_setting_t *root);

/* Tells where and, as far as it can be known, why libconfig could not read on. */
struct config_t;
void config_tell_syntax(struct config_loading *loading, const struct config_t *parsed);

/* Fills value->text from what a secret refers to (`form` and `reference` are set): the environment
 * variable, or the file with its trailing newlines cut, whose path in `reference` is made whole.
 * `line` is where it stands. False with the problem added. */
bool config_secret_resolve(struct config_loading *loading, struct config_value *value,
                           unsigned line);

/* The known key that `key` was most probably meant to be, or NULL. */
const char *config_nearest_key(const struct config *config, const char *key);
/* The choice that `name` was most probably meant to be, or NULL. */
const char *config_nearest_choice(const struct config_row *row, const char *name);

#endif
