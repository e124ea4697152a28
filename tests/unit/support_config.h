/*
 * support_config.h - a configuration from a text, and what was wrong with it.
 */
#ifndef TESTS_SUPPORT_CONFIG_H
#define TESTS_SUPPORT_CONFIG_H

#include "support.h"

struct config_case {
    char *directory;
    char path[512]; /* DIRECTORY/hearth.conf */
    enum hearth_error error;
    struct config *config;
    struct config_problems problems;
};

/* Makes the directory. */
void config_case_init(struct config_case *test);
void config_case_clean(struct config_case *test);
/* Writes a file beside the configuration, for includes and secrets. */
void config_case_file(struct config_case *test, const char *name, const char *text);
/* Writes hearth.conf and loads it against the tables; what an earlier load left is freed. */
void config_case_load(struct config_case *test, const struct config_rows *tables, size_t count,
                      const char *text);
/* The same against the program's own rows. */
void config_case_load_program(struct config_case *test, const char *text);
/* Fails unless the problem of that number is this one; `where` without the directory. A '*' at the
 * end of `what` stands for anything. */
void config_case_expect(const struct config_case *test, size_t index, const char *where,
                        const char *key, const char *what);
/* Fails unless there are so many problems; prints them when not. */
void config_case_expect_count(const struct config_case *test, size_t count);

#endif
