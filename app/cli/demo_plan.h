/*
 * demo_plan.h - the make-believe station of `hearth demo`: its thermometers, and when each of them
 * gets a new battery or falls silent.
 *
 * Everything follows from the seed and the span of time, so that the same arguments give the same
 * readings on any machine.
 */
#ifndef HEARTH_CLI_DEMO_PLAN_H
#define HEARTH_CLI_DEMO_PLAN_H

#include "hearth/base.h"

enum { DEMO_TRANSMITTERS = 8, DEMO_YEARS_MAX = 100 };

/* What a place is like; temperatures in degrees Fahrenheit, humidity in percent. */
struct demo_place {
    const char *id, *name, *place;
    double mean, year, day, weather; /* the mean, and how far season, hour and weather move it */
    double peak_hour;                /* when it is warmest */
    double humid, humid_per_degree;  /* mean humidity, and what a degree above the mean adds */
    int signal;                      /* dB below nothing */
    bool freezer;                    /* its compressor and its defrosting show */
};
extern const struct demo_place demo_places[DEMO_TRANSMITTERS];

/* Random numbers that are the same everywhere: SplitMix64. */
uint64_t demo_random(uint64_t *state);
double demo_uniform(uint64_t *state, double from, double to);

/* From `from_ms` on it sends that code, until the next battery. */
struct demo_battery {
    int64_t from_ms;
    int rolling_code;
};
enum { DEMO_BATTERIES_MAX = DEMO_YEARS_MAX * 365 / 300 + 2 };

struct demo_plan {
    int64_t from_ms, to_ms;
    uint64_t seed;
    double readings_per_day; /* of all transmitters */
    struct demo_battery batteries[DEMO_TRANSMITTERS][DEMO_BATTERIES_MAX];
    size_t battery_count[DEMO_TRANSMITTERS];
};

void demo_plan_make(struct demo_plan *plan, int64_t from_ms, int64_t to_ms, uint64_t seed,
                    double readings_per_day);

#endif
