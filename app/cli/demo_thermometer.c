/*
 * demo_thermometer.c - what a thermometer sends.
 *
 * The curve of an hour is a straight line between two points of the place's season, day and
 * weather; that costs two cosines an hour instead of a reading, and nobody sees the corners.
 */
#include "app/cli/demo_thermometer.h"

#include <math.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    INT64_C(86400000)
#define FULL_TURN 6.283185307179586
#define YEAR_MS   31556952000.0

enum {
    LOW_DAYS = 10,           /* so long before its end a battery is low */
    SECONDS_FROM_MS = 10000, /* slower ones send in whole seconds, as the radios' receivers do */
};

/* ---- Time ---- */

static void plan_silence(struct demo_thermometer *thermometer, int64_t now_ms)
{
    double days = demo_uniform(&thermometer->random, 15.0, 120.0);
    thermometer->silent_ms = now_ms + (int64_t)(days * (double)DAY_MS);
}

static void use_battery(struct demo_thermometer *thermometer)
{
    bool more = thermometer->battery_count > 1;
    thermometer->last.rolling_code = thermometer->batteries[0].rolling_code;
    thermometer->swap_ms = more ? thermometer->batteries[1].from_ms : INT64_MAX;
    thermometer->low_ms = more ? thermometer->swap_ms - LOW_DAYS * DAY_MS : INT64_MAX;
}

static void change_battery(struct demo_thermometer *thermometer)
{
    while (thermometer->next_ms >= thermometer->swap_ms) {
        thermometer->next_ms += (int64_t)demo_uniform(&thermometer->random, 2.0, 40.0) * MINUTE_MS;
        thermometer->batteries++;
        thermometer->battery_count--;
        thermometer->swaps++;
        use_battery(thermometer);
    }
}

static void fall_silent(struct demo_thermometer *thermometer)
{
    double hours = demo_uniform(&thermometer->random, 2.5, 36.0);
    thermometer->next_ms += (int64_t)(hours * (double)HOUR_MS);
    thermometer->gaps++;
    plan_silence(thermometer, thermometer->next_ms);
}

static void move_on(struct demo_thermometer *thermometer)
{
    double factor = demo_uniform(&thermometer->random, 0.25, 1.75);
    thermometer->next_ms += (int64_t)(factor * thermometer->interval_ms) + 1;
    if (thermometer->next_ms >= thermometer->silent_ms)
        fall_silent(thermometer);
    if (thermometer->next_ms >= thermometer->swap_ms)
        change_battery(thermometer);
}

void demo_thermometer_wait(struct demo_thermometer *thermometer, int64_t until_ms)
{
    if (thermometer->next_ms >= until_ms)
        return;
    thermometer->next_ms = until_ms;
    move_on(thermometer);
}

void demo_thermometer_init(struct demo_thermometer *thermometer, const struct demo_plan *plan,
                           int index)
{
    *thermometer = (struct demo_thermometer){
        .place = &demo_places[index],
        .batteries = plan->batteries[index],
        .battery_count = plan->battery_count[index],
        .random = plan->seed * 7919 + 17 + (uint64_t)index,
        .next_ms = plan->from_ms,
        .interval_ms = (double)(DEMO_TRANSMITTERS * DAY_MS) / plan->readings_per_day,
        .hour_ms = INT64_MIN,
        .defrost_ms = plan->from_ms - HOUR_MS * (1 + index),
        .last = {.channel = index + 1, .raw = RAW_ABSENT},
    };
    plan_silence(thermometer, plan->from_ms);
    use_battery(thermometer);
    move_on(thermometer);
}

/* ---- Values ---- */

static double curve(const struct demo_place *place, int64_t ms, double weather)
{
    double season = cos(FULL_TURN * ((double)ms / YEAR_MS - 0.555)); /* warmest on 22 July */
    double hour = (double)(ms % DAY_MS) / (double)HOUR_MS;
    double daily = cos(FULL_TURN * (hour - place->peak_hour) / 24.0);
    /* Days are hotter and nights colder in summer. */
    return place->mean + place->year * season + place->day * daily * (1.0 + 0.3 * season) +
           place->weather * weather;
}

static double value_at(struct demo_thermometer *thermometer, const double weather[2])
{
    int64_t ms = thermometer->next_ms, hour_ms = ms - ms % HOUR_MS;
    if (hour_ms != thermometer->hour_ms) {
        double end = curve(thermometer->place, hour_ms + HOUR_MS, weather[1]);
        thermometer->hour_ms = hour_ms;
        thermometer->begin = curve(thermometer->place, hour_ms, weather[0]);
        thermometer->slope = (end - thermometer->begin) / (double)HOUR_MS;
    }
    return thermometer->begin + thermometer->slope * (double)(ms - hour_ms);
}

/* The compressor's saw, 38 minutes a tooth; and each eleven hours, or so, the heating that thaws
 * the ice: up within a quarter of an hour, down within two hours. */
static double freezer_swing(struct demo_thermometer *thermometer)
{
    int64_t ms = thermometer->next_ms;
    double saw = (double)(ms % (38 * MINUTE_MS)) / (double)(38 * MINUTE_MS);
    double swing = (saw < 0.6 ? saw / 0.6 : (1.0 - saw) / 0.4) * 5.0 - 2.5;
    if (ms - thermometer->defrost_ms > 11 * HOUR_MS)
        thermometer->defrost_ms =
            ms - (int64_t)demo_uniform(&thermometer->random, 0.0, 20.0) * MINUTE_MS;
    double since = (double)(ms - thermometer->defrost_ms) / (double)MINUTE_MS;
    if (since < 15.0)
        return swing + 27.0 * since / 15.0;
    double falling = since < 120.0 ? (120.0 - since) / 105.0 : 0.0;
    return swing + 27.0 * falling * falling;
}

static int within(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Only changes are sent: what is the same as before moves by one tenth. */
static void measure(struct demo_thermometer *thermometer, const double weather[2])
{
    const struct demo_place *place = thermometer->place;
    struct reading *last = &thermometer->last;
    uint64_t noise = demo_random(&thermometer->random);
    double degrees = value_at(thermometer, weather);
    if (place->freezer)
        degrees += freezer_swing(thermometer);
    double tenths = degrees * 10.0 + (double)(noise & 3) - 1.5;
    double humid = place->humid + place->humid_per_degree * (degrees - place->mean) +
                   (double)(noise >> 8 & 255) * (2.0 / 255.0);
    int raw = within((int)floor(tenths + 0.5) + RAW_F_OFFSET, 0, RAW_ABSENT - 2);
    int humidity = within((int)humid, 8, 98);
    if (raw == last->raw && humidity == last->humidity)
        raw += noise >> 16 & 1 || raw == 0 ? 1 : -1;
    last->raw = raw;
    last->humidity = humidity;
    last->signal = place->signal + (int)(noise >> 17 & 3);
}

void demo_thermometer_next(struct demo_thermometer *thermometer, const double weather[2],
                           struct record *record)
{
    struct reading *last = &thermometer->last;
    int64_t ms = thermometer->next_ms;
    measure(thermometer, weather);
    last->time_ms = thermometer->interval_ms >= SECONDS_FROM_MS ? ms - ms % 1000 : ms;
    last->battery_low = ms >= thermometer->low_ms;
    /* All values are within the record's by their making; a time outside leaves an empty record. */
    if (record_encode(last, record) != REJECT_NONE)
        *record = (struct record){{0}};
    move_on(thermometer);
}
