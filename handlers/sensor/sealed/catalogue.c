/*
 * catalogue.c - the sealed files in order. Making a longer one is a merge of the old one with the
 * sorted new rows: it happens once a seal.
 */
#include "handlers/sensor/sealed/catalogue.h"

#include "handlers/sensor/disk/live_memory.h"

#include <stdlib.h>
#include <string.h>

enum { NEAR_FILES = 8 };

static int compare_files(const void *left, const void *right)
{
    const struct sealed_file *a = left, *b = right;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static void merge_files(struct catalogue *made, const struct catalogue *base,
                        const struct sealed_file *more, size_t count)
{
    size_t base_count = base ? base->count : 0, old = 0, fresh = 0;
    while (old < base_count || fresh < count) {
        bool take_old = fresh == count ||
                        (old < base_count && compare_files(&base->files[old], &more[fresh]) <= 0);
        made->files[made->count++] = take_old ? base->files[old++] : more[fresh++];
    }
}

struct catalogue *catalogue_extend(const struct catalogue *base, struct sealed_file *more,
                                   size_t count)
{
    size_t total = (base ? base->count : 0) + count;
    struct catalogue *made = memory_new(sizeof *made + total * sizeof made->files[0]);
    if (!made)
        return NULL;
    static _Atomic uint64_t lineages;
    made->lineage = base ? base->lineage : atomic_fetch_add(&lineages, 1) + 1;
    made->count = 0;
    made->suspect_count = 0;
    made->last_sequence = base ? base->last_sequence : 0;
    atomic_init(&made->references, 1);
    if (count > 1)
        qsort(more, count, sizeof *more, compare_files);
    merge_files(made, base, more, count);
    for (size_t i = 0; i < count; i++)
        if (more[i].sequence > made->last_sequence)
            made->last_sequence = more[i].sequence;
    while (made->suspect_count < made->count &&
           made->files[made->suspect_count].day == SEALED_SUSPECT_DAY)
        made->suspect_count++;
    return made;
}

struct catalogue *catalogue_keep(struct catalogue *catalogue)
{
    atomic_fetch_add(&catalogue->references, 1);
    return catalogue;
}

void catalogue_release(struct catalogue *catalogue)
{
    if (catalogue && atomic_fetch_sub(&catalogue->references, 1) == 1)
        memory_free(catalogue);
}

bool catalogue_has_live(const struct catalogue *catalogue, uint64_t sequence)
{
    if (sequence > catalogue->last_sequence)
        return false;
    for (size_t i = 0; i < catalogue->count; i++)
        if (catalogue->files[i].sequence == sequence)
            return true;
    return false;
}

/* Is the index the answer? */
static bool is_first(const struct catalogue *catalogue, int32_t day, size_t index)
{
    return (index == catalogue->suspect_count || catalogue->files[index - 1].day < day) &&
           (index == catalogue->count || catalogue->files[index].day >= day);
}

size_t catalogue_find(const struct catalogue *catalogue, int32_t day, size_t hint)
{
    /* Days are mostly asked for one after the other. */
    for (size_t i = 0; i < NEAR_FILES; i++, hint++)
        if (hint >= catalogue->suspect_count && hint <= catalogue->count &&
            is_first(catalogue, day, hint))
            return hint;
    size_t low = catalogue->suspect_count, high = catalogue->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (catalogue->files[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t catalogue_day_count(const struct catalogue *catalogue, size_t first)
{
    size_t count = 0;
    while (first + count < catalogue->count &&
           catalogue->files[first + count].day == catalogue->files[first].day)
        count++;
    return count;
}
