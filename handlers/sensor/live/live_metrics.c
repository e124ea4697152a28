/*
 * live_metrics.c - what the keeper counts.
 */
#include "handlers/sensor/live/live_metrics.h"

static struct metric *readings(struct metrics *registry, const char *labels)
{
    return metrics_counter(registry, "hearth_sensor_readings_total",
                           "Readings received, by what became of them.", labels);
}

void live_metrics_init(struct live_metrics *metrics, struct metrics *registry)
{
    static const double seconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                     0.01,   0.025,   0.05,   0.1,   0.5,    2.5};
    static const double sizes[] = {1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096, 16384};
    *metrics = (struct live_metrics){.metrics = registry};
    if (!registry)
        return;
    metrics->accepted = readings(registry, "result=\"accepted\"");
    metrics->duplicate = readings(registry, "result=\"duplicate\"");
    metrics->quarantined = readings(registry, "result=\"quarantined\"");
    metrics->commits =
        metrics_counter(registry, "hearth_sensor_commits_total", "Group commits.", "");
    metrics->commit_seconds =
        metrics_histogram(registry, "hearth_sensor_commit_seconds", "Time a group commit took.", "",
                          seconds, sizeof seconds / sizeof seconds[0]);
    metrics->batch_readings = metrics_histogram(registry, "hearth_sensor_batch_readings",
                                                "Readings written by a group commit.", "", sizes,
                                                sizeof sizes / sizeof sizes[0]);
    metrics->live_bytes =
        metrics_gauge(registry, "hearth_sensor_live_bytes", "Bytes of readings in live files.", "");
    metrics->newest_seconds =
        metrics_gauge(registry, "hearth_sensor_newest_reading_timestamp_seconds",
                      "Time of the newest reading, seconds since the epoch.", "");
    metrics->unasked = live_metrics_unasked(registry);
}

struct metric *live_metrics_unasked(struct metrics *registry)
{
    return registry ? metrics_counter(registry, "hearth_sensor_unasked_readings_total",
                                      "Stored readings of which nobody could tell whether they are "
                                      "sealed already: a sealed file could not be read.",
                                      "")
                    : NULL;
}

void live_metrics_count_error(const struct live_metrics *metrics, enum hearth_error code)
{
    char labels[64] = "";
    if (metrics->metrics &&
        metrics_label(labels, sizeof labels, "reason", view_of(error_name(code))))
        metric_add(metrics_counter(metrics->metrics, "hearth_sensor_store_errors_total",
                                   "Group commits that failed, by reason.", labels),
                   1);
}
