/*
 * live_metrics.h - what the keeper counts. The series are looked up once; without a registry every
 * one is NULL, which counts nothing.
 */
#ifndef HEARTH_SENSOR_LIVE_METRICS_H
#define HEARTH_SENSOR_LIVE_METRICS_H

#include "hearth/telemetry.h"

struct live_metrics {
    struct metrics *metrics;
    struct metric *accepted, *duplicate, *quarantined;
    struct metric *commits, *commit_seconds, *batch_readings;
    struct metric *live_bytes, *newest_seconds;
    struct metric *unasked;
};

void live_metrics_init(struct live_metrics *metrics, struct metrics *registry);
/* Of the opening and of the sealer; NULL without a registry. */
struct metric *live_metrics_unasked(struct metrics *registry);
/* hearth_sensor_store_errors_total{reason="DISK_FULL"} */
void live_metrics_count_error(const struct live_metrics *metrics, enum hearth_error code);

#endif
