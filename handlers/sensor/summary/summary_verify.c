/*
 * summary_verify.c - is a stored day what its records say?
 *
 * The day is digested once more, under the limits and with the block size that stand in it, and
 * compared member by member, so that what differs can be named.
 */
#include "handlers/sensor/summary/summary_build.h"

struct member {
    const char *name;
    size_t at, bytes;
};

static const struct member clock_members[] = {
    {"count", CLOCK_COUNT, 4},   {"first_ms", CLOCK_FIRST_MS, 4},     {"last_ms", CLOCK_LAST_MS, 4},
    {"gap_ms", CLOCK_GAP_MS, 4}, {"covered_ms", CLOCK_COVERED_MS, 4},
};

static const struct member track_members[] = {
    {"first", TRACK_FIRST, 2},       {"last", TRACK_LAST, 2},     {"min", TRACK_MIN, 2},
    {"max", TRACK_MAX, 2},           {"min_ms", TRACK_MIN_MS, 4}, {"max_ms", TRACK_MAX_MS, 4},
    {"integral", TRACK_INTEGRAL, 8},
};

/* What is compared: two nodes of one place in the day. */
struct comparison {
    const struct summary_day *day;
    const unsigned char *stored, *right;
    const char *where; /* "the day", "group", "block" */
    size_t number;
    struct error_record *error;
};

/* Members of a clock or a track, `at` bytes into the node. */
static bool members_agree(const struct comparison *comparison, size_t at,
                          const struct member *members, size_t count, unsigned place,
                          unsigned quantity)
{
    for (size_t i = 0; i < count; i++) {
        size_t member_at = at + members[i].at;
        if (memcmp(comparison->stored + member_at, comparison->right + member_at,
                   members[i].bytes) == 0)
            continue;
        error_set_internal(comparison->error, HEARTH_CORRUPT, 0,
                           "day %d, %s %zu, series %u-%u, %s: %s differs from the records",
                           (int)comparison->day->day, comparison->where, comparison->number,
                           (place >> 8) + 1, place & 255,
                           quantity == QUANTITY_TEMPERATURE ? "temperature" : "humidity",
                           members[i].name);
        return false;
    }
    return true;
}

static bool entry_agrees(const struct comparison *comparison, size_t at, unsigned place,
                         unsigned kind)
{
    for (unsigned quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
        if (!(kind & (1u << quantity)))
            continue;
        if (quantity == QUANTITY_TEMPERATURE || !(kind & SUMMARY_SAME_CLOCK)) {
            if (!members_agree(comparison, at, clock_members,
                               sizeof clock_members / sizeof clock_members[0], place, quantity))
                return false;
            at += CLOCK_BYTES;
        }
        if (!members_agree(comparison, at, track_members,
                           sizeof track_members / sizeof track_members[0], place, quantity))
            return false;
        at += TRACK_BYTES;
    }
    return true;
}

static bool node_agrees(const struct comparison *comparison)
{
    const struct summary_day *day = comparison->day;
    size_t at = 0;
    for (size_t i = 0; i < day->series_count; i++) {
        const unsigned char *series = summary_series_at(day, i);
        unsigned kind = summary_series_kind(series);
        if (!entry_agrees(comparison, at, summary_series_place(series), kind))
            return false;
        at += summary_entry_bytes(kind);
    }
    return true;
}

static bool differ(const struct summary_day *day, struct error_record *error, const char *what)
{
    error_set_internal(error, HEARTH_CORRUPT, 0, "day %d: %s", (int)day->day, what);
    return false;
}

static bool frame_agrees(const struct summary_day *day, const struct summary_day *right,
                         struct error_record *error)
{
    if (day->records != right->records || day->last_ms != right->last_ms)
        return differ(day, error, "the number of records or the time of the last one differs");
    if (day->series_count != right->series_count || day->clocks != right->clocks ||
        day->tracks != right->tracks || day->blocks != right->blocks ||
        memcmp(day->totals, right->totals, day->series_count * SUMMARY_SERIES_BYTES) != 0)
        return differ(day, error, "the series differ from the records");
    if (memcmp(day->keys, right->keys, summary_keys_bytes(day->blocks)) != 0)
        return differ(day, error, "the beginning of a block differs from the records");
    return true;
}

static bool nodes_agree(const struct summary_day *day, const struct summary_day *right,
                        struct error_record *error)
{
    struct comparison comparison = {.day = day,
                                    .stored = summary_total_node(day),
                                    .right = summary_total_node(right),
                                    .where = "the whole of it",
                                    .error = error};
    bool agree = node_agrees(&comparison);
    comparison.where = "block";
    for (size_t i = 0; agree && i < day->blocks; i++) {
        comparison.number = i;
        comparison.stored = summary_block_node(day, i);
        comparison.right = summary_block_node(right, i);
        agree = node_agrees(&comparison);
    }
    comparison.where = "group";
    for (size_t i = 0; agree && i < day->groups; i++) {
        comparison.number = i;
        comparison.stored = summary_group_node(day, i);
        comparison.right = summary_group_node(right, i);
        agree = node_agrees(&comparison);
    }
    return agree;
}

/* The limits as they stand in the day, whatever they are today. */
static int64_t stored_limit_ms(void *context, int channel, int rolling_code, int32_t number)
{
    const struct summary_day *day = context;
    unsigned place = (unsigned)(channel - 1) << 8 | (unsigned)rolling_code;
    size_t low = 0, high = day->series_count;
    (void)number;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (summary_series_place(summary_series_at(day, middle)) < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < day->series_count ? summary_series_limit_ms(summary_series_at(day, low)) : 0;
}

bool summary_day_verify(const struct summary_day *day, const struct day_runs *runs,
                        struct error_record *error)
{
    const struct summary_build_options options = {
        .limit = stored_limit_ms,
        .context = (void *)day,
        .block_records = day->block_records == 0 ? UINT32_MAX : day->block_records,
    };
    const struct summary_day *right;
    if (!summary_day_totals_whole(day))
        return differ(day, error, "the digests of the day are damaged");
    if (!summary_day_blocks_whole(day))
        return differ(day, error, "the digests of the blocks are damaged");
    struct summary_builder *builder = summary_builder_new();
    if (!builder) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to verify a summary");
        return false;
    }
    bool agree = summary_build_day(builder, runs, &options, &right, error) == HEARTH_OK &&
                 frame_agrees(day, right, error) && nodes_agree(day, right, error);
    summary_builder_free(builder);
    return agree;
}
