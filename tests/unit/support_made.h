/*
 * support_made.h - a store made by hand: live files, sealed files, a manifest, and what a keeper
 * would publish of them. For tests of the readers, which need no keeper.
 */
#ifndef TESTS_SUPPORT_MADE_H
#define TESTS_SUPPORT_MADE_H

#include "support.h"

#include "handlers/sensor/live/live_published.h"
#include "handlers/sensor/sealed/manifest.h"
#include "hearth/reading_store.h"

struct made_store {
    char *directory;
    char store[1024];
    unsigned char id[16];
    struct manifest_position position; /* where the manifest ends */
    struct live_state state;           /* as published last */
    struct live_published published;
};

/* An empty store; the live file 1 is written to. */
void made_store_init(struct made_store *test);
void made_store_clean(struct made_store *test);
/* STORE/NAME */
void made_store_path(const struct made_store *test, const char *name, char path[1200]);
void made_store_write(const struct made_store *test, const char *name, const void *bytes,
                      size_t size);
/* To free. */
char *made_store_read(const struct made_store *test, const char *name, size_t *size);
void made_store_remove(const struct made_store *test, const char *name);

/* Adds to the live file that is written to, and publishes. */
void made_store_append(struct made_store *test, const struct record *records, size_t count);
/* Finishes the live file; the next one is written to. */
void made_store_next(struct made_store *test);
/* Seals a live file of that number, which needs not stand: sorts, writes a file a day and one of
 * the suspects, the rows in `year`; removes the live file if it stands; publishes. */
void made_store_seal(struct made_store *test, uint64_t sequence, const struct record *records,
                     size_t count, int32_t year);
/* The live file that is written to is finished and sealed. */
void made_store_seal_current(struct made_store *test, int32_t year);
/* Only rows, of files that do not stand: one day each. */
void made_store_rows(struct made_store *test, uint64_t sequence, int32_t day, uint32_t parts,
                     int32_t year);
/* Any row, chained to the one before. */
void made_store_row(struct made_store *test, const struct manifest_row *row, int32_t year);
void made_store_publish(struct made_store *test);

#endif
