/*
 * support_sealed.h - a store made by hand: live files, sealed files, a manifest, and what a keeper
 * would publish of them. For tests of the readers, which need no keeper.
 */
#ifndef TESTS_SUPPORT_SEALED_H
#define TESTS_SUPPORT_SEALED_H

#include "support.h"

#include "handlers/sensor/live_published.h"
#include "handlers/sensor/manifest.h"
#include "hearth/reading_store.h"

struct sealed_case {
    char *directory;
    char store[1024];
    unsigned char id[16];
    struct manifest_position position; /* where the manifest ends */
    struct live_state state;           /* as published last */
    struct live_published published;
};

/* An empty store; the live file 1 is written to. */
void sealed_case_init(struct sealed_case *test);
void sealed_case_clean(struct sealed_case *test);
/* STORE/NAME */
void sealed_case_path(const struct sealed_case *test, const char *name, char path[1200]);
void sealed_case_write(const struct sealed_case *test, const char *name, const void *bytes,
                       size_t size);
/* To free. */
char *sealed_case_read(const struct sealed_case *test, const char *name, size_t *size);
void sealed_case_remove(const struct sealed_case *test, const char *name);

/* Adds to the live file that is written to, and publishes. */
void sealed_case_append(struct sealed_case *test, const struct record *records, size_t count);
/* Finishes the live file; the next one is written to. */
void sealed_case_next(struct sealed_case *test);
/* Seals a live file of that number, which needs not stand: sorts, writes a file a day and one of
 * the suspects, the rows in `year`; removes the live file if it stands; publishes. */
void sealed_case_seal(struct sealed_case *test, uint64_t sequence, const struct record *records,
                      size_t count, int32_t year);
/* The live file that is written to is finished and sealed. */
void sealed_case_seal_current(struct sealed_case *test, int32_t year);
/* Only rows, of files that do not stand: one day each. */
void sealed_case_rows(struct sealed_case *test, uint64_t sequence, int32_t day, uint32_t parts,
                      int32_t year);
/* Any row, chained to the one before. */
void sealed_case_row(struct sealed_case *test, const struct manifest_row *row, int32_t year);
void sealed_case_publish(struct sealed_case *test);

#endif
