/*
 * summary_years.h - the summary files of a process, one a year, mapped while they are of use.
 *
 * A file is looked for when it is asked for, and again after a while or when the store changed: one
 * that was replaced is mapped anew, and whoever holds the old one goes on with it. A damaged one is
 * passed over, with a line in the log. Any thread.
 */
#ifndef HEARTH_SENSOR_SUMMARY_YEARS_H
#define HEARTH_SENSOR_SUMMARY_YEARS_H

#include "handlers/sensor/disk/file_operations.h"

enum { SUMMARY_YEAR_FIRST = 1970, SUMMARY_YEARS = 140 }; /* to 2109 */

struct summary_file;
struct summary_years;
struct summary_year; /* a reference to a mapped file */

/* `files` and `store` must outlive it. NULL when memory ran out. */
struct summary_years *summary_years_new(struct file_operations *files, const char *store);
void summary_years_free(struct summary_years *years); /* NULL is allowed; none may be held */
/* A reference to the file of that year, or NULL: there is none of use. `generation`: of the store.
 */
struct summary_year *summary_years_take(struct summary_years *years, int32_t year,
                                        uint64_t generation);
void summary_year_release(struct summary_year *held); /* NULL is allowed */
const struct summary_file *summary_year_file(const struct summary_year *held);
/* The store is another one now. */
void summary_years_forget(struct summary_years *years);

#endif
