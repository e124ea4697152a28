/*
 * store_id.h - which store this is: 128 random bits, made when it is opened first.
 *
 * STORE/store.id holds them as 32 hexadecimal digits and a newline. They go with the files: a copy
 * is the same store, and what stands elsewhere with as many readings is another one.
 */
#ifndef HEARTH_SENSOR_STORE_ID_H
#define HEARTH_SENSOR_STORE_ID_H

#include "handlers/sensor/disk/file_operations.h"

enum { STORE_ID_BYTES = 16 };

/* Reads it, or makes it to last. `known` (or NULL) is what a missing one is to be; else none is
 * made while a manifest or sealed files stand: the manifest's first row follows the one that is
 * lost. Whoever calls holds store.lock. Errors: CORRUPT (no id stands there, or it is missing; the
 * detail says what to do), IO, DISK_FULL and the like. */
HEARTH_MUST_CHECK enum hearth_error store_id_open(struct file_operations *files, const char *store,
                                                  const unsigned char *known,
                                                  unsigned char id[STORE_ID_BYTES],
                                                  struct error_record *error);
/* CORRUPT when store.id is missing, and is needed; the detail says what to do. NOT_FOUND when it is
 * missing, and nothing speaks of a store. Changes nothing. Errors: IO and the like. */
HEARTH_MUST_CHECK enum hearth_error store_id_look(struct file_operations *files, const char *store,
                                                  struct error_record *error);

#endif
