/*
 * figures.h - numbers as people read them: "310,250,000", "3.7 GB", "12:04", "2025-09-14 18:04:51".
 */
#ifndef HEARTH_CLI_FIGURES_H
#define HEARTH_CLI_FIGURES_H

#include "hearth/base.h"

enum { FIGURE_SIZE = 48 };

/* Each writes into `text` and gives it back. */
char *figure_count(uint64_t count, char text[FIGURE_SIZE]);
char *figure_bytes(uint64_t bytes, char text[FIGURE_SIZE]); /* powers of ten */
char *figure_duration(int64_t ms, char text[FIGURE_SIZE]);  /* "0:23", "3:07:12", "4 days 2 h" */
char *figure_time(int64_t wall_ms, char text[FIGURE_SIZE]); /* to the second, UTC; -1: "-" */
char *figure_day(int32_t day, char text[FIGURE_SIZE]);      /* days since 1970: "2025-09-14" */

/* A member of JSON with its time, or null for -1: `,"name":"2025-..."`. */
void figure_json_time(struct buffer *out, const char *name, int64_t wall_ms);

#endif
