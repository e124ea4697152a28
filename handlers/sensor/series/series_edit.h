/*
 * series_edit.h - changing series.json, as `hearth series` does.
 *
 *   edit = series_edit_open(...);      takes the lock, reads the file
 *   series_edit_name(edit, ...) ...    any number of changes, in memory
 *   series_edit_save(edit, ...)        checks the whole, writes a new file, renames it over the old
 *   series_edit_close(edit)            gives the lock back; without a save nothing was changed
 *
 * STORE/series.lock is locked (flock(2)) for the while, so that two who edit at once lose nothing
 * of each other. What the file says besides the names, members that are not known, stays. Whoever
 * edits the file by hand should not do so at the same moment. One thread.
 *
 * Errors of all changes: NOT_FOUND (no such series, no such transmitter), CONFLICT, BAD_REQUEST
 * (not allowed as it is; the detail says what is), NO_MEMORY.
 */
#ifndef HEARTH_SENSOR_SERIES_EDIT_H
#define HEARTH_SENSOR_SERIES_EDIT_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/series/series_names.h"
#include "hearth/clock.h"

struct series_edit;

/* Waits for another one's lock, up to ten seconds; makes the store's directory when it is missing.
 * `files` and `clock` must outlive it. NULL: LOCKED, CORRUPT (the file as it is; it is not
 * touched), IO and the like, NO_MEMORY. */
struct series_edit *series_edit_open(struct file_operations *files, const char *store,
                                     const struct clock *clock, struct error_record *error);
void series_edit_close(struct series_edit *edit); /* NULL is allowed */

/* The names as they were when it was opened. */
const struct series_names *series_edit_names(const struct series_edit *edit);

/* A new series without transmitters. CONFLICT: there is one of that id. */
HEARTH_MUST_CHECK enum hearth_error series_edit_add(struct series_edit *edit, const char *id,
                                                    struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error series_edit_name(struct series_edit *edit, const char *id,
                                                     const char *name, struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error series_edit_place(struct series_edit *edit, const char *id,
                                                      const char *place,
                                                      struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error series_edit_unit(struct series_edit *edit, const char *id,
                                                     enum series_unit unit,
                                                     struct error_record *error);
/* `seconds` 0: the default. */
HEARTH_MUST_CHECK enum hearth_error series_edit_limit(struct series_edit *edit, const char *id,
                                                      int64_t seconds, struct error_record *error);
/* From window->from_ms to window->to_ms the transmitter is this series (window->series is not
 * looked at). When the new window is open, an open one of the series that began before ends where
 * the new one begins: that is a change of battery. */
HEARTH_MUST_CHECK enum hearth_error series_edit_alias(struct series_edit *edit, const char *id,
                                                      const struct series_window *window,
                                                      struct error_record *error);
/* The series goes, its readings stay: each transmitter is shown by its number again. */
HEARTH_MUST_CHECK enum hearth_error series_edit_forget(struct series_edit *edit, const char *id,
                                                       struct error_record *error);
/* One window of it goes: that of this transmitter, or, with `from_ms` not -1, the one of them that
 * begins there. CONFLICT: there are several. */
HEARTH_MUST_CHECK enum hearth_error series_edit_unalias(struct series_edit *edit, const char *id,
                                                        int channel, int rolling_code,
                                                        int64_t from_ms,
                                                        struct error_record *error);

/* Errors: CONFLICT (two windows overlap: both are named; or another rule of the file is broken),
 * DISK_FULL, IO and the like, NO_MEMORY. Then the old file stands, unless its new name could not
 * be made to last (IO), in which case either may. */
HEARTH_MUST_CHECK enum hearth_error series_edit_save(struct series_edit *edit,
                                                     struct error_record *error);

#endif
