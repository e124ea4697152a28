/*
 * config_nearest.c - what somebody who wrote an unknown key or choice probably meant.
 *
 * The optimal string alignment distance: insertions, deletions, replacements and swaps of
 * neighbours count one each. A suggestion is made when a third of the characters or fewer are
 * wrong, or when the right name stands in the wrong group.
 */
#include "app/core/config_internal.h"

#include <string.h>

enum { NAME_MAXIMUM = 64 }; /* longer names get no suggestion */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* One row of the table of distances, from the two before it. */
static void next_row(const size_t *before, const size_t *last, size_t *row, const char *a, size_t i,
                     const char *b, size_t b_length)
{
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
        size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
        row[j] = smallest(last[j] + 1, row[j - 1] + 1, replace);
        bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
        if (swapped && before[j - 2] + 1 < row[j])
            row[j] = before[j - 2] + 1;
    }
}

static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t rows[3][NAME_MAXIMUM + 1] = {{0}};
    if (a_length > NAME_MAXIMUM || b_length > NAME_MAXIMUM)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++)
        next_row(rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3], a, i, b, b_length);
    return rows[a_length % 3][b_length];
}

static bool close_enough(size_t distance, const char *written)
{
    size_t allowed = strlen(written) / 3;
    return distance <= (allowed > 0 ? allowed : 1);
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

const char *config_nearest_key(const struct config *config, const char *key)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < config->count; i++) {
        const char *known = config->values[i].row->key;
        size_t apart = distance(key, known);
        /* The right name in the wrong group is nearer than any misspelling. */
        if (apart > 1 && strcmp(last_part(key), last_part(known)) == 0)
            apart = 1;
        if (apart < least) {
            least = apart;
            nearest = known;
        }
    }
    return close_enough(least, last_part(key)) ? nearest : NULL;
}

const char *config_nearest_choice(const struct config_row *row, const char *name)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; row->choices[i]; i++) {
        size_t apart = distance(name, row->choices[i]);
        if (apart < least) {
            least = apart;
            nearest = row->choices[i];
        }
    }
    return close_enough(least, name) ? nearest : NULL;
}
