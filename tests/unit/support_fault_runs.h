/*
 * support_fault_runs.h - a life of a store, run over and over: each time another of its file
 * operations fails, or the process ends before it. Whatever came of it, the promises hold.
 *
 * A story says what a life is and what must hold afterwards; the life writes down what it was
 * promised. The runs end when one goes through untouched.
 */
#ifndef TESTS_SUPPORT_FAULT_RUNS_H
#define TESTS_SUPPORT_FAULT_RUNS_H

#include "support_live.h"

enum { FAULT_RUN_READINGS = 48 };

/* What was promised; in shared memory, since the process may die. */
struct fault_ledger {
    bool sent[FAULT_RUN_READINGS], acknowledged[FAULT_RUN_READINGS]; /* by the reading's number */
    bool kept[FAULT_RUN_READINGS];                                   /* rejected texts */
    int refused, opens_failed, seals_failed;                         /* what came back an error */
    struct live_published published; /* outlives the keeper, not the pool */
};

struct fault_run {
    struct live_case live;
    struct fault_ledger *ledger;
};

struct fault_story {
    void (*prepare)(struct live_case *live); /* before the life: its options */
    void (*live)(struct fault_run *run);
    void (*expect)(struct fault_run *run); /* with files that work again: the promises hold */
    struct record (*reading)(int number);
    int readings;                /* how many there are */
    int least_calls, most_calls; /* of an untouched life */
};

/* What came of all runs of a story. */
struct fault_sums {
    int runs, refused, opens_failed, seals_failed;
};

/* A run whose files work, until the test says otherwise. */
void fault_run_init(struct fault_run *run, const struct fault_story *story);
void fault_run_clean(struct fault_run *run);

/* How often opening is tried: after one failure the next try must do. */
int fault_run_tries(const struct fault_run *run);
/* Promises that these are stored from now on. */
void fault_run_acknowledge(struct fault_run *run, int first, int count);
/* What was acknowledged is in the store, and nothing that was not sent, and nothing else. */
void fault_run_expect_stored(const struct fault_run *run, const struct fault_story *story,
                             struct reading_store *store);

/* Each call fails once, in this way; nothing comes back an error in the run without a failure. */
struct fault_sums fault_story_fail_each_call(const struct fault_story *story, enum fault_kind kind,
                                             int number);
/* So many runs; in each of them from `least` to `least` + 9 `step` of 1,000 calls fail. */
struct fault_sums fault_story_storm(const struct fault_story *story, uint32_t runs, uint32_t least,
                                    uint32_t step);
/* The life in a child that ends before the call, and what must hold; false when it did not come so
 * far. */
bool fault_run_die_at(struct fault_run *run, const struct fault_story *story, int64_t at);
/* At each call. */
void fault_story_die_at_each_call(const struct fault_story *story);

#endif
