/*
 * live_strays.h - sealed files that no row of the manifest names, when a store is opened.
 *
 * A sealing that was broken off leaves such files, and its live file with them. Any other says that
 * rows of the manifest were lost: its readings would not count, and in time their place be taken.
 * So the store stays shut until somebody has decided, unless each reading stands elsewhere as well.
 */
#ifndef HEARTH_SENSOR_LIVE_STRAYS_H
#define HEARTH_SENSOR_LIVE_STRAYS_H

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/sealed/sealed_index.h"

/* `*highest`: the highest sequence of all names, whatever comes back; 0 = there is none. A
 * directory that cannot be listed is in the log, and no more. Errors: CORRUPT (the detail names a
 * file and says what to do), IO (such a file cannot be read), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error live_strays_look(struct file_operations *files,
                                                     const char *store, struct sealed_index *sealed,
                                                     const struct live_names *live,
                                                     uint64_t *highest, struct error_record *error);

#endif
