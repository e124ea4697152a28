/*
 * summary_build.c - the digests of a day, in two passes over the merge of its files.
 *
 * The first pass checks every record and learns which series there are and what they have, and with
 * that how large a node is. The second adds each record to the digests of its block; a full block
 * becomes a node and is joined to its group, a full group to the day.
 *
 * The smaller a block, the less is left to scan at the edges of a bucket. So blocks are as small as
 * the bytes allow that a reading may take in a summary, which also bounds it whatever the number of
 * series: with 8 of them a block has 224 records at 17,000 readings a day, and 250 at 4,000.
 */
#include "handlers/sensor/summary/summary_build.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/checksum64.h"
#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/record_merge.h"
#include "handlers/sensor/summary/day_source.h"

enum { LEVEL_BLOCK, LEVEL_GROUP, LEVEL_DAY, LEVELS };

/* What the first pass learns of a transmitter. */
struct transmitter {
    uint32_t count, temperatures, humidities, both;
    uint32_t index; /* among the day's series */
    struct record first, last;
};

struct build_series {
    unsigned place, kind;
    int64_t limit_ms;
    struct digest digests[LEVELS][QUANTITY_COUNT];
};

struct summary_builder {
    struct transmitter transmitters[SERIES_PLACES]; /* by place */
    struct build_series *series;
    size_t series_capacity;
    unsigned char *totals, *blocks;
    size_t totals_capacity, blocks_capacity;
    struct summary_day day;
    struct summary_checked checked;
    int64_t day_start_ms;
    size_t blocks_done, groups_done;
};

struct summary_builder *summary_builder_new(void)
{
    return memory_new_zero(1, sizeof(struct summary_builder));
}

void summary_builder_free(struct summary_builder *builder)
{
    if (!builder)
        return;
    memory_free(builder->series);
    memory_free(builder->totals);
    memory_free(builder->blocks);
    memory_free(builder);
}

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a summary");
}

/* ---- The merge of the sealed files ---- */

static size_t sealed_runs(const struct day_runs *runs)
{
    return runs->count - (runs->live_count > 0 ? 1 : 0);
}

typedef enum hearth_error record_fn(struct summary_builder *builder, const struct record *record);

static enum hearth_error each_record(struct summary_builder *builder, const struct day_runs *runs,
                                     record_fn *visit)
{
    struct record_merge merge;
    struct day_run stretch;
    enum hearth_error code = record_merge_init(&merge, runs->runs, sealed_runs(runs));
    if (code != HEARTH_OK)
        return code;
    while (code == HEARTH_OK && record_merge_next(&merge, &stretch))
        for (size_t i = 0; code == HEARTH_OK && i < stretch.count; i++)
            code = visit(builder, &stretch.records[i]);
    record_merge_clean(&merge);
    return code;
}

/* ---- First pass ---- */

static unsigned place_of(const struct record *record)
{
    return (unsigned)(record_high(record) >> 8 & (SERIES_PLACES - 1));
}

static uint32_t time_of(const struct summary_builder *builder, const struct record *record)
{
    return (uint32_t)(record_time_ms(record) - builder->day_start_ms);
}

static enum hearth_error learn(struct summary_builder *builder, const struct record *record)
{
    struct transmitter *transmitter = &builder->transmitters[place_of(record)];
    int64_t time_ms = record_time_ms(record) - builder->day_start_ms;
    int32_t value;
    if (record_check(record) != REJECT_NONE || time_ms < builder->day.last_ms || time_ms >= DAY_MS)
        return HEARTH_CORRUPT;
    bool temperature = record_quantity(record, QUANTITY_TEMPERATURE, &value);
    bool humidity = record_quantity(record, QUANTITY_HUMIDITY, &value);
    if (transmitter->count++ == 0)
        transmitter->first = *record;
    transmitter->last = *record;
    transmitter->temperatures += temperature;
    transmitter->humidities += humidity;
    transmitter->both += temperature && humidity;
    builder->day.last_ms = (uint32_t)time_ms;
    builder->day.records++;
    return HEARTH_OK;
}

static enum hearth_error learn_all(struct summary_builder *builder, const struct day_runs *runs,
                                   struct error_record *error)
{
    uint64_t records = 0;
    for (size_t i = 0; i < sealed_runs(runs); i++)
        records += runs->runs[i].count;
    if (records == 0 || records > UINT32_MAX)
        return error_set_internal(error, HEARTH_CORRUPT, 0, "day %d: %llu sealed records",
                                  (int)runs->day, (unsigned long long)records);
    memset(builder->transmitters, 0, sizeof builder->transmitters);
    builder->day_start_ms = runs->day * DAY_MS;
    builder->day = (struct summary_day){.day = runs->day};
    enum hearth_error code = each_record(builder, runs, learn);
    if (code == HEARTH_OK && builder->day.records != records)
        code = HEARTH_CORRUPT;
    if (code == HEARTH_CORRUPT)
        return error_set_internal(error, code, 0,
                                  "day %d: record %u of its sealed files is damaged, of another "
                                  "day, out of order or there twice",
                                  (int)runs->day, (unsigned)builder->day.records);
    return code == HEARTH_OK ? code : no_memory(error);
}

/* ---- Between the passes: what there is, and how large it becomes ---- */

static unsigned kind_of(const struct transmitter *transmitter)
{
    unsigned kind = 0;
    if (transmitter->temperatures > 0)
        kind |= SUMMARY_HAS_TEMPERATURE;
    if (transmitter->humidities > 0)
        kind |= SUMMARY_HAS_HUMIDITY;
    if (transmitter->both > 0 && transmitter->both == transmitter->temperatures &&
        transmitter->both == transmitter->humidities)
        kind |= SUMMARY_SAME_CLOCK;
    return kind;
}

/* As small as the bytes allow that a reading may take; 0 = there is no room for two blocks. */
static uint32_t block_records_of(const struct summary_day *day, uint32_t asked)
{
    if (asked > 0)
        return asked < day->records ? asked : 0;
    uint64_t node_bytes = summary_node_bytes(day->clocks, day->tracks);
    uint64_t room = (uint64_t)day->records * SUMMARY_READING_BYTES / SUMMARY_READINGS;
    /* The node of the day, and that of a group which is not full. */
    uint64_t taken = day->series_count * SUMMARY_SERIES_BYTES + 2 * node_bytes + SUMMARY_DAY_BYTES +
                     (uint64_t)2 * SUMMARY_SOURCE_BYTES;
    uint64_t block_bytes = node_bytes + node_bytes / SUMMARY_GROUP_BLOCKS + RECORD_BYTES;
    uint64_t blocks = room > taken ? (room - taken) / block_bytes : 0;
    if (blocks < 2)
        return 0;
    uint32_t records = (uint32_t)((day->records + blocks - 1) / blocks);
    if (records < SUMMARY_BLOCK_MINIMUM)
        records = SUMMARY_BLOCK_MINIMUM;
    return records < day->records ? records : 0;
}

static void list_series(struct summary_builder *builder,
                        const struct summary_build_options *options)
{
    struct summary_day *day = &builder->day;
    size_t index = 0;
    for (unsigned place = 0; place < SERIES_PLACES; place++) {
        struct transmitter *transmitter = &builder->transmitters[place];
        if (transmitter->count == 0)
            continue;
        unsigned kind = kind_of(transmitter);
        int64_t limit_ms =
            options->limit(options->context, (int)(place >> 8) + 1, (int)(place & 255), day->day);
        transmitter->index = (uint32_t)index;
        builder->series[index++] = (struct build_series){
            .place = place, .kind = kind, .limit_ms = limit_ms < 0 ? 0 : limit_ms};
        day->clocks += summary_clocks_of(kind);
        day->tracks += summary_tracks_of(kind);
    }
}

/* Room for at least so many bytes, zeroed. */
static bool reserve(unsigned char **bytes, size_t *capacity, size_t wanted)
{
    if (*capacity < wanted) {
        unsigned char *room = memory_resize(*bytes, wanted);
        if (!room)
            return false;
        *bytes = room;
        *capacity = wanted;
    }
    memset(*bytes, 0, wanted);
    return true;
}

static bool reserve_series(struct summary_builder *builder, size_t count)
{
    if (builder->series_capacity < count) {
        struct build_series *room = memory_resize(builder->series, count * sizeof *builder->series);
        if (!room)
            return false;
        builder->series = room;
        builder->series_capacity = count;
    }
    return true;
}

static enum hearth_error lay_out(struct summary_builder *builder,
                                 const struct summary_build_options *options,
                                 struct error_record *error)
{
    struct summary_day *day = &builder->day;
    for (unsigned place = 0; place < SERIES_PLACES; place++)
        day->series_count += builder->transmitters[place].count > 0;
    if (!reserve_series(builder, day->series_count))
        return no_memory(error);
    list_series(builder, options);
    day->block_records = block_records_of(day, options->block_records);
    summary_day_measure(day);
    if (!reserve(&builder->totals, &builder->totals_capacity, day->totals_bytes) ||
        !reserve(&builder->blocks, &builder->blocks_capacity, day->blocks_bytes + 1))
        return no_memory(error);
    day->totals = builder->totals;
    day->keys = builder->blocks;
    builder->blocks_done = builder->groups_done = 0;
    return HEARTH_OK;
}

/* ---- Second pass ---- */

static void write_clock(unsigned char *at, const struct digest *digest)
{
    summary_write32(at + CLOCK_COUNT, (uint32_t)digest->count);
    summary_write32(at + CLOCK_FIRST_MS, (uint32_t)digest->first_ms);
    summary_write32(at + CLOCK_LAST_MS, (uint32_t)digest->last_ms);
    summary_write32(at + CLOCK_COVERED_MS, (uint32_t)digest->covered_ms);
    summary_write32(at + CLOCK_GAP_MS, (uint32_t)digest->gap_ms);
}

static void write_track(unsigned char *at, const struct digest *digest)
{
    summary_write64(at + TRACK_INTEGRAL, (uint64_t)digest->integral);
    summary_write32(at + TRACK_MIN_MS, (uint32_t)digest->min_ms);
    summary_write32(at + TRACK_MAX_MS, (uint32_t)digest->max_ms);
    summary_write16(at + TRACK_FIRST, (uint16_t)digest->first);
    summary_write16(at + TRACK_LAST, (uint16_t)digest->last);
    summary_write16(at + TRACK_MIN, (uint16_t)digest->min);
    summary_write16(at + TRACK_MAX, (uint16_t)digest->max);
}

/* A series' digests of a level; gives back where the next series' begin. */
static unsigned char *write_entry(unsigned char *at, const struct build_series *series, int level)
{
    for (unsigned quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
        const struct digest *digest = &series->digests[level][quantity];
        if (!(series->kind & (1u << quantity)))
            continue;
        if (quantity == QUANTITY_TEMPERATURE || !(series->kind & SUMMARY_SAME_CLOCK)) {
            write_clock(at, digest);
            at += CLOCK_BYTES;
        }
        write_track(at, digest);
        at += TRACK_BYTES;
    }
    return at;
}

/* The digests of a level become a node (NULL = none), are joined to the level above, and begin
 * anew. */
static void finish_level(struct summary_builder *builder, int level, unsigned char *node)
{
    for (size_t i = 0; i < builder->day.series_count; i++) {
        struct build_series *series = &builder->series[i];
        if (node)
            node = write_entry(node, series, level);
        for (unsigned quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
            struct digest *digest = &series->digests[level][quantity];
            if (level < LEVEL_DAY)
                digest_join(&series->digests[level + 1][quantity], digest, series->limit_ms);
            *digest = (struct digest){0};
        }
    }
}

static unsigned char *writable(struct summary_builder *builder, const unsigned char *node)
{
    return builder->blocks + (node - builder->day.keys);
}

static void finish_group(struct summary_builder *builder)
{
    const struct summary_day *day = &builder->day;
    unsigned char *node = NULL;
    if (day->groups > 0)
        node = writable(builder, summary_group_node(day, builder->groups_done));
    finish_level(builder, LEVEL_GROUP, node);
    builder->groups_done++;
}

static void finish_block(struct summary_builder *builder)
{
    const struct summary_day *day = &builder->day;
    unsigned char *node = NULL;
    if (day->blocks > 0)
        node = writable(builder, summary_block_node(day, builder->blocks_done));
    finish_level(builder, LEVEL_BLOCK, node);
    builder->blocks_done++;
    if (builder->blocks_done % SUMMARY_GROUP_BLOCKS == 0)
        finish_group(builder);
}

static void begin_block(struct summary_builder *builder, const struct record *record)
{
    unsigned char *keys = builder->blocks;
    summary_write64(keys + builder->blocks_done * 8, record_high(record));
    summary_write32(keys + builder->day.blocks * 8 + builder->blocks_done * 4, record_low(record));
}

static enum hearth_error add(struct summary_builder *builder, const struct record *record)
{
    struct summary_day *day = &builder->day;
    struct build_series *series = &builder->series[builder->transmitters[place_of(record)].index];
    if (day->block_records > 0 && day->records % day->block_records == 0) {
        if (day->records > 0)
            finish_block(builder);
        begin_block(builder, record);
    }
    for (unsigned quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
        int32_t value;
        if (record_quantity(record, (enum quantity)quantity, &value))
            digest_add(&series->digests[LEVEL_BLOCK][quantity], time_of(builder, record), value,
                       series->limit_ms);
    }
    day->records++;
    return HEARTH_OK;
}

static void write_series(struct summary_builder *builder)
{
    for (size_t i = 0; i < builder->day.series_count; i++) {
        const struct build_series *series = &builder->series[i];
        const struct transmitter *transmitter = &builder->transmitters[series->place];
        unsigned char *at = builder->totals + i * SUMMARY_SERIES_BYTES;
        summary_write16(at, (uint16_t)series->place);
        at[2] = (unsigned char)series->kind;
        summary_write32(at + 4, transmitter->count);
        summary_write64(at + 8, (uint64_t)series->limit_ms);
        memcpy(at + 16, &transmitter->first, sizeof transmitter->first);
        memcpy(at + 28, &transmitter->last, sizeof transmitter->last);
    }
}

static enum hearth_error digest_all(struct summary_builder *builder, const struct day_runs *runs,
                                    struct error_record *error)
{
    struct summary_day *day = &builder->day;
    day->records = 0;
    if (each_record(builder, runs, add) != HEARTH_OK)
        return no_memory(error);
    finish_block(builder);
    if (builder->blocks_done % SUMMARY_GROUP_BLOCKS != 0)
        finish_group(builder);
    finish_level(builder, LEVEL_DAY, builder->totals + day->series_count * SUMMARY_SERIES_BYTES);
    write_series(builder);
    return HEARTH_OK;
}

enum hearth_error summary_build_day(struct summary_builder *builder, const struct day_runs *runs,
                                    const struct summary_build_options *options,
                                    const struct summary_day **day, struct error_record *error)
{
    enum hearth_error code = learn_all(builder, runs, error);
    if (code == HEARTH_OK)
        code = lay_out(builder, options, error);
    if (code == HEARTH_OK)
        code = digest_all(builder, runs, error);
    if (code != HEARTH_OK)
        return code;
    struct summary_day *built = &builder->day;
    built->totals_checksum = checksum64(built->totals, built->totals_bytes);
    built->blocks_checksum = checksum64(built->keys, built->blocks_bytes);
    atomic_store(&builder->checked.totals, SUMMARY_WHOLE);
    atomic_store(&builder->checked.blocks, SUMMARY_WHOLE);
    built->checked = &builder->checked;
    *day = built;
    return HEARTH_OK;
}
