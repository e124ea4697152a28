/*
 * support_model.h - buckets as somebody would make them who has all the time there is: sort,
 * filter, add up. No digests, no summaries, no cuts.
 */
#ifndef TESTS_SUPPORT_MODEL_H
#define TESTS_SUPPORT_MODEL_H

#include "handlers/sensor/aggregate/aggregate.h"

/* The tracks of each bucket of the query over these records, which come in any order and may be
 * there twice. Suspects count when the query says so. */
struct model {
    struct bucket_track *tracks; /* of all buckets, one after the other */
    size_t count;
    size_t *ends; /* where those of each bucket end */
};

void model_run(struct model *model, const struct bucket_query *query, const struct record *records,
               size_t count);
void model_clean(struct model *model);
/* Fails the test unless these are the tracks of that bucket. */
void model_expect(const struct model *model, size_t bucket, const struct bucket_track *tracks,
                  size_t count);

#endif
