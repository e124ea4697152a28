/*
 * config_manual.h - the rows as the KEYS section of hearth.conf(5).
 */
#ifndef HEARTH_CONFIG_MANUAL_H
#define HEARTH_CONFIG_MANUAL_H

#include "hearth/config.h"

/* mdoc(7) for every row: a list a group, an item a key. Errors: the buffer's. */
HEARTH_MUST_CHECK enum hearth_error config_manual(const struct config_rows *tables,
                                                  size_t table_count, struct buffer *out);

#endif
