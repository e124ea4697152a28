/*
 * demo_thermometer.h - one thermometer of the make-believe station: when it sends, and what.
 *
 * It sends only changes, as the real ones do, at irregular times. Now and then it falls silent for
 * hours or a day; around a change of battery for some minutes. Before that its battery is low.
 */
#ifndef HEARTH_CLI_DEMO_THERMOMETER_H
#define HEARTH_CLI_DEMO_THERMOMETER_H

#include "app/cli/demo_plan.h"
#include "hearth/reading_store.h"

struct demo_thermometer {
    const struct demo_place *place;
    const struct demo_battery *batteries; /* those still to come, from the one in use */
    size_t battery_count;
    uint64_t random;
    int64_t next_ms;         /* of the next reading */
    double interval_ms;      /* mean */
    int64_t silent_ms;       /* when it falls silent next */
    int64_t low_ms, swap_ms; /* when the battery is low, and changed */
    uint64_t gaps, swaps;    /* so far */
    int64_t defrost_ms;      /* when it began last; of the freezer */
    /* The curve of the current hour: value at its begin, change in a millisecond. */
    int64_t hour_ms;
    double begin, slope;
    struct reading last; /* as sent; the code is that of the battery */
};

void demo_thermometer_init(struct demo_thermometer *thermometer, const struct demo_plan *plan,
                           int index);
/* The reading at next_ms; moves next_ms on. `weather`: degrees at the begin and at the end of the
 * hour of next_ms. */
void demo_thermometer_next(struct demo_thermometer *thermometer, const double weather[2],
                           struct record *record);
/* The whole station has no power until `until_ms`. */
void demo_thermometer_wait(struct demo_thermometer *thermometer, int64_t until_ms);

#endif
