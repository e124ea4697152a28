/*
 * sealing_name.h - a sealed file gets its name. The inside of sealing.c.
 *
 * A name that is taken is never taken away from what may be all there is of some readings. Mostly
 * it is what a try that was broken off left behind, the same bytes. Other bytes are replaced only
 * when each reading in them is in the new file as well, or in another sealed file.
 */
#ifndef HEARTH_SENSOR_SEALING_NAME_H
#define HEARTH_SENSOR_SEALING_NAME_H

#include "handlers/sensor/sealed/sealing.h"

/* From `beside` to `path`; `records` are the part's. Errors: CORRUPT (another file stands there,
 * with readings that are nowhere else; the detail says what to do), IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealing_name(struct sealing *sealing,
                                                 const struct sealed_file *file,
                                                 const struct record *records, const char *beside,
                                                 const char *path, struct error_record *error);

#endif
