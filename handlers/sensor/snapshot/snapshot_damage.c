/*
 * snapshot_damage.c - could all be read that a snapshot had mapped, and is it what was sealed?
 *
 * As long as no page of the process was bad since the snapshot was opened, the answer costs a look
 * at one number. Else the files that it has mapped are asked, and those of a day that is released
 * have been asked then.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/summary/summary.h"

static bool nothing_happened(const struct snapshot *snapshot)
{
    return mapped_ranges_faults() == snapshot->faults_seen;
}

static enum hearth_error check_pins(const struct day_pins *pins, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < pins->mapped_count; i++)
        code = sealed_map_check(pins->maps[i], error);
    return code;
}

void snapshot_note_damage(struct snapshot *snapshot, const struct day_pins *pins)
{
    if (nothing_happened(snapshot) || snapshot->damage.code != HEARTH_OK)
        return;
    enum hearth_error code = check_pins(pins, &snapshot->damage);
    (void)code; /* stands in the record */
}

static enum hearth_error check_years(const struct snapshot *snapshot, struct error_record *error)
{
    for (size_t i = 0; i < SUMMARY_YEARS; i++)
        if (snapshot->years[i] && summary_file_damaged(summary_year_file(snapshot->years[i])))
            return error_set_internal(error, HEARTH_CORRUPT, 0, "summary/%04d.sum cannot be read",
                                      (int)i + SUMMARY_YEAR_FIRST);
    return HEARTH_OK;
}

/* What is in memory was looked at on its way there. */
enum hearth_error snapshot_verify(const struct day_runs *runs, size_t run,
                                  const struct record *records, size_t count,
                                  struct error_record *error)
{
    const struct day_pins *pins = runs->pinned;
    if (!pins || run >= pins->mapped_count)
        return HEARTH_OK;
    struct sealed_map *map = pins->maps[run];
    return sealed_map_verify(map, (size_t)(records - map->records), count, error);
}

enum hearth_error snapshot_check(const struct snapshot *snapshot, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    if (nothing_happened(snapshot))
        return HEARTH_OK;
    if (snapshot->damage.code != HEARTH_OK)
        return error_set_internal(error, snapshot->damage.code, 0, "%s", snapshot->damage.detail);
    for (const struct day_pins *pins = snapshot->days; code == HEARTH_OK && pins; pins = pins->next)
        code = check_pins(pins, error);
    return code == HEARTH_OK ? check_years(snapshot, error) : code;
}
