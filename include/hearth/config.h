/*
 * config.h - configuration: one table of rows, from which everything else follows.
 *
 * A row names a key (`pool.workers`), its type, bounds, default and explanation. The table parses a
 * libconfig file, validates it (every problem at once, with file, line and key), prints the
 * effective configuration and generates the annotated etc/hearth.conf. Rows come from
 * app/core/config_rows.c (the program's own) and from each module's `rows`.
 *
 * A loaded configuration never changes; any thread may read it. Lookups are by key and meant for
 * start-up; asking for a key that no row has, or with the wrong type, is a programming error and
 * ends the program with a message.
 */
#ifndef HEARTH_CONFIG_H
#define HEARTH_CONFIG_H

#include "hearth/base.h"

enum config_type {
    CONFIG_INTEGER, /* minimum..maximum */
    CONFIG_BOOLEAN,
    CONFIG_STRING, /* at most `maximum` bytes */
    CONFIG_SECRET, /* a string, or { env = "NAME" } or { file = "PATH" }; printed masked */
    CONFIG_CHOICE, /* one of `choices` */
    CONFIG_LIST,   /* a list of strings, at most `maximum` of them */
};

/* Says what is wrong with `value` in `why`, or returns true. For lists it is called for each item.
 */
typedef bool config_validate_fn(struct view value, char *why, size_t why_size);

struct config_row {
    const char *key; /* "module.snake_case_unit" */
    enum config_type type;
    bool restart;             /* STRING: a reload that changes it is refused */
    int64_t minimum, maximum; /* INTEGER: bounds; STRING: least and most bytes; SECRET: most bytes;
                                 LIST: most items; a maximum of 0 = 1,024 */
    const char *initial;      /* the default as it stands in the file: "2", "true", "unix:/x"; lists
                                 items separated by a blank; "" = empty */
    const char *const *choices;   /* CHOICE: NULL-terminated */
    config_validate_fn *validate; /* optional */
    const char *text;             /* sentences for the annotated sample and the manual */
};

struct config_rows { /* one module's table */
    const struct config_row *rows;
    size_t count;
};

struct config; /* the values */

/* What `config_load` found, in file order. */
struct config_problem {
    char *where; /* "/etc/hearth/hearth.conf:12", or the file alone */
    char *key;   /* "pool.workers", or "" */
    char *what;  /* "must be 1 to 64, is 900" */
};
struct config_problems {
    struct config_problem *items;
    size_t count;
};
void config_problems_clean(struct config_problems *problems);
/* Adds one (printf). For checks that span several keys. */
void config_problem_add(struct config_problems *problems, const char *where, const char *key,
                        const char *format, ...) HEARTH_PRINTF(4, 5);

/* The program's own rows: pool, http, log, state, objects, auth. */
extern const struct config_rows config_program_rows;

/* Reads `path` (NULL: defaults alone) against the tables. On HEARTH_OK `*config` is owned by the
 * caller. On HEARTH_BAD_REQUEST `problems` names everything found: unknown keys (with the nearest
 * known one), wrong types, values out of bounds, secrets that cannot be read, syntax. Other errors:
 * HEARTH_NO_MEMORY. `problems` is filled or empty, and cleaned by the caller either way. */
HEARTH_MUST_CHECK enum hearth_error config_load(const char *path, const struct config_rows *tables,
                                                size_t table_count, struct config **config,
                                                struct config_problems *problems);
void config_free(struct config *config); /* NULL is allowed; overwrites secrets */

int64_t config_integer(const struct config *config, const char *key);
bool config_boolean(const struct config *config, const char *key);
const char *config_string(const struct config *config,
                          const char *key);                      /* STRING, SECRET; not NULL */
int config_choice(const struct config *config, const char *key); /* index into `choices` */
size_t config_list_count(const struct config *config, const char *key);
const char *config_list_item(const struct config *config, const char *key, size_t index);
const char *config_path(const struct config *config); /* the file it came from, or "" */
/* Where a key was set: "FILE:LINE", or "default". */
const char *config_origin(const struct config *config, const char *key);

/* The effective configuration as a valid configuration file; secrets masked, defaults marked. */
HEARTH_MUST_CHECK enum hearth_error config_print(const struct config *config, struct buffer *out);
/* The annotated sample, every key commented with its default. */
HEARTH_MUST_CHECK enum hearth_error config_sample(const struct config_rows *tables,
                                                  size_t table_count, struct buffer *out);

/* --config FILE, else HEARTH_CONFIG, else /etc/hearth/hearth.conf. `option` may be NULL. */
const char *config_choose_path(const char *option);

#endif
