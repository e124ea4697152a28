/*
 * page.h - the parts of GET /temp, private to page*.c and chart_svg.c.
 */
#ifndef HEARTH_SENSOR_PAGE_H
#define HEARTH_SENSOR_PAGE_H

#include "handlers/sensor/page/chart.h"
#include "handlers/sensor/sensor.h"

/* ---- page_shell.c: what stands around the readings ---- */

/* Up to <main>. `script`: with what makes a dashboard of it. */
void page_append_head(struct buffer *html, const struct sensor *sensor, bool script);
/* What the script fills: controls, tiles, plots, tables. */
void page_append_dashboard(struct buffer *html);
/* How to send a first reading. `shown`: else it waits for the script to show it. */
void page_append_empty(struct buffer *html, const struct request *request, bool shown);
void page_append_foot(struct buffer *html, bool script);

/* ---- page_still.c: what the server draws ---- */

/* The last seven days as charts, and a table of what each series said last. The state has
 * readings. Errors: those of the store, NO_MEMORY; failure also sticks to `html`. */
HEARTH_MUST_CHECK enum hearth_error
page_append_still(struct buffer *html, const struct sensor *sensor, const struct request *request,
                  const struct store_state *state, const struct series_names *names);
/* "Freezer", or "Channel 5, code 107", escaped. */
void page_append_name(struct buffer *html, const struct series_names *names, uint32_t index);

#endif
