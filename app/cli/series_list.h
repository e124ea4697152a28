/*
 * series_list.h - the series of a store with their transmitters, for people and as JSON.
 */
#ifndef HEARTH_CLI_SERIES_LIST_H
#define HEARTH_CLI_SERIES_LIST_H

#include "handlers/sensor/series/series_names.h"
#include "hearth/reading_store.h"

/* `store` may be NULL: then only what the names say. Both append to `out`. Errors: the store's,
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error series_list_table(const struct series_names *names,
                                                      struct reading_store *store,
                                                      struct buffer *out,
                                                      struct error_record *error);
/* {"series":[{"id","name","place","unit","stale_after_s","new","first","last","count",
 *  "transmitters":[{"channel","rolling_code","from","to","first","last","count"}]}]} */
HEARTH_MUST_CHECK enum hearth_error series_list_json(const struct series_names *names,
                                                     struct reading_store *store,
                                                     struct buffer *out,
                                                     struct error_record *error);

#endif
