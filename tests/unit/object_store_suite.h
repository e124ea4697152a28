/*
 * object_store_suite.h - what every object store must do, written against the table.
 *
 * An implementation's test program says how to open and to empty its storage, and runs the suite;
 * what it is not capable of (its capability flags) is skipped visibly. What only it does, it tests
 * itself.
 */
#ifndef TESTS_OBJECT_STORE_SUITE_H
#define TESTS_OBJECT_STORE_SUITE_H

#include "support.h"

struct object_store_suite {
    const char *name;
    void *context;
    /* A new handle; every handle sees the same objects. NULL fails the test. */
    struct object_store *(*open)(void *context);
    /* Removes every object. Called before each test, with no handle open. */
    void (*empty)(void *context);
};

/* All of it. Gives back the number of failed tests. */
int object_store_suite_run(const struct object_store_suite *suite);

/* Its parts. */
int object_store_list_suite_run(const struct object_store_suite *suite);
int object_store_threads_suite_run(const struct object_store_suite *suite);

#endif
