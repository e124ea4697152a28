/*
 * summary_verify.c - is a stored day what its records say?
 *
 * The day is digested once more, under the limits and with the block size that stand in it, and
 * compared member by member, so that what differs can be named.
 */
#include "handlers/sensor/summary_build.h"

struct member {
    const char *name;
    size_t at, bytes;
    bool of_clock;
};

enum { MEMBERS = 12 };

static void members_of(const struct summary_layout *layout, struct member members[MEMBERS])
{
    const struct member all[MEMBERS] = {
        {"count", layout->count, 4, true},
        {"first", layout->first, 2, false},
        {"last", layout->last, 2, false},
        {"min", layout->min, 2, false},
        {"max", layout->max, 2, false},
        {"first_ms", layout->first_ms, 4, true},
        {"last_ms", layout->last_ms, 4, true},
        {"min_ms", layout->min_ms, 4, false},
        {"max_ms", layout->max_ms, 4, false},
        {"integral", layout->integral, 8, false},
        {"covered_ms", layout->covered_ms, 4, true},
        {"gap_ms", layout->gap_ms, 4, true},
    };
    memcpy(members, all, sizeof all);
}

/* What is compared: two nodes of one place in the day. */
struct comparison {
    const struct summary_day *day;
    const unsigned char *stored, *right;
    const char *where; /* "the day", "group", "block" */
    size_t number;
    struct error_record *error;
};

static bool track_differs(const struct comparison *comparison, size_t series, unsigned quantity,
                          size_t clock, size_t track)
{
    struct member members[MEMBERS];
    members_of(&comparison->day->layout, members);
    unsigned place = summary_series_place(summary_series_at(comparison->day, series));
    for (size_t i = 0; i < MEMBERS; i++) {
        size_t at = members[i].at + (members[i].of_clock ? clock : track) * members[i].bytes;
        if (memcmp(comparison->stored + at, comparison->right + at, members[i].bytes) == 0)
            continue;
        error_set_internal(comparison->error, HEARTH_CORRUPT, 0,
                           "day %d, %s %zu, series %u-%u, %s: %s differs from the records",
                           (int)comparison->day->day, comparison->where, comparison->number,
                           (place >> 8) + 1, place & 255,
                           quantity == QUANTITY_TEMPERATURE ? "temperature" : "humidity",
                           members[i].name);
        return true;
    }
    return false;
}

static bool node_agrees(const struct comparison *comparison)
{
    const struct summary_day *day = comparison->day;
    size_t clock = 0, track = 0;
    for (size_t i = 0; i < day->series_count; i++) {
        unsigned kind = summary_series_kind(summary_series_at(day, i));
        unsigned shared = kind & SUMMARY_SAME_CLOCK ? 1 : 0;
        for (unsigned quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
            if (!(kind & (1u << quantity)))
                continue;
            if (shared && quantity == QUANTITY_HUMIDITY)
                clock--;
            if (track_differs(comparison, i, quantity, clock++, track++))
                return false;
        }
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
        .context = (void *)(uintptr_t)day,
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
