/*
 * demo_plan.c - the places of the make-believe station, and its batteries.
 */
#include "app/cli/demo_plan.h"

#define DAY_MS INT64_C(86400000)

const struct demo_place demo_places[DEMO_TRANSMITTERS] = {
    {"living-room", "Living room", "Ground floor", 69.0, 3.0, 2.2, 0.15, 19.0, 41.0, -0.6, 52,
     false},
    {"kitchen", "Kitchen", "Ground floor", 70.5, 3.2, 3.0, 0.12, 18.5, 44.0, -0.5, 55, false},
    {"bedroom", "Bedroom", "Upstairs", 65.0, 4.0, 1.6, 0.18, 20.0, 45.0, -0.5, 58, false},
    {"freezer", "Freezer", "Cellar", 1.0, 0.5, 0.0, 0.0, 0.0, 52.0, 0.3, 74, true},
    {"cellar", "Cellar", "Cellar", 57.0, 6.0, 0.4, 0.1, 21.0, 62.0, 0.7, 70, false},
    {"outside", "Outside", "North wall", 47.0, 24.0, 11.0, 1.0, 15.0, 55.0, -0.9, 63, false},
    {"attic", "Attic", "Roof", 62.0, 24.0, 17.0, 0.8, 16.0, 38.0, -0.5, 61, false},
    {"greenhouse", "Greenhouse", "Garden", 64.0, 20.0, 15.0, 0.7, 14.0, 66.0, -0.9, 79, false},
};

uint64_t demo_random(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9E3779B97F4A7C15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

double demo_uniform(uint64_t *state, double from, double to)
{
    return from + (to - from) * (double)(demo_random(state) >> 11) * 0x1p-53;
}

/* A battery lasts ten to sixteen months; the code that comes with the next one is another. */
static void plan_batteries(struct demo_plan *plan, int transmitter)
{
    struct demo_battery *batteries = plan->batteries[transmitter];
    uint64_t random = plan->seed * 1000003 + (uint64_t)transmitter;
    int code = (int)(demo_random(&random) & 255);
    size_t count = 0;
    double lasts = demo_uniform(&random, 30.0, 480.0); /* the first one is not new */
    int64_t at_ms = plan->from_ms;
    while (at_ms < plan->to_ms && count < DEMO_BATTERIES_MAX) {
        batteries[count++] = (struct demo_battery){at_ms, code};
        code = (code + 1 + (int)(demo_random(&random) % 255)) & 255;
        at_ms += (int64_t)(lasts * (double)DAY_MS);
        lasts = demo_uniform(&random, 300.0, 480.0);
    }
    plan->battery_count[transmitter] = count;
}

void demo_plan_make(struct demo_plan *plan, int64_t from_ms, int64_t to_ms, uint64_t seed,
                    double readings_per_day)
{
    *plan = (struct demo_plan){
        .from_ms = from_ms, .to_ms = to_ms, .seed = seed, .readings_per_day = readings_per_day};
    for (int i = 0; i < DEMO_TRANSMITTERS; i++)
        plan_batteries(plan, i);
}
