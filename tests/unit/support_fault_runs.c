/*
 * support_fault_runs.c - a life of a store, run over and over, each time with another failure.
 */
#include "support_fault_runs.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_keeper.h"

enum { LIVED = 7, PATIENCE = 200 };

/* ---- A run ---- */

void fault_run_init(struct fault_run *run, const struct fault_story *story)
{
    live_case_init(&run->live);
    run->ledger = shared_memory(sizeof *run->ledger);
    run->live.options.files = &run->live.faults.files;
    story->prepare(&run->live);
}

void fault_run_clean(struct fault_run *run)
{
    munmap(run->ledger, sizeof *run->ledger);
    live_case_clean(&run->live);
}

int fault_run_tries(const struct fault_run *run)
{
    return run->live.faults.storm ? PATIENCE : 2;
}

void fault_run_acknowledge(struct fault_run *run, int first, int count)
{
    for (int i = first; i < first + count; i++)
        run->ledger->sent[i] = run->ledger->acknowledged[i] = true;
}

void fault_run_expect_stored(const struct fault_run *run, const struct fault_story *story,
                             struct reading_store *store)
{
    size_t count, known = 0;
    struct record *all = live_everything(store, &count);
    for (int i = 0; i < story->readings; i++) {
        struct record record = story->reading(i);
        bool there = live_has(all, count, &record);
        known += there;
        if (run->ledger->acknowledged[i] && !there)
            fail_msg("reading %d was acknowledged and is lost", i);
        if (there && !run->ledger->sent[i])
            fail_msg("reading %d is there and was never sent", i);
    }
    assert_int_equal(known, count);
    free(all);
}

/* ---- All runs of a story ---- */

static void add_run(struct fault_sums *sums, const struct fault_ledger *ledger)
{
    sums->runs++;
    sums->refused += ledger->refused;
    sums->opens_failed += ledger->opens_failed;
    sums->seals_failed += ledger->seals_failed;
}

static void print_sums(const struct fault_sums *sums)
{
    print_message("           %d runs, %d appends refused, %d times not opened, %d seals failed\n",
                  sums->runs, sums->refused, sums->opens_failed, sums->seals_failed);
}

struct fault_sums fault_story_fail_each_call(const struct fault_story *story, enum fault_kind kind,
                                             int number)
{
    struct fault_sums sums = {0};
    bool untouched = false;
    for (int64_t at = 1; !untouched; at++) {
        struct fault_run run;
        fault_run_init(&run, story);
        run.live.faults.kind = kind;
        run.live.faults.number = number;
        run.live.faults.fail_at = at;
        story->live(&run);
        untouched = run.live.faults.calls < at;
        const struct fault_ledger *ledger = run.ledger;
        if (untouched) /* nothing failed: everything was taken */
            assert_int_equal(ledger->refused + ledger->opens_failed + ledger->seals_failed, 0);
        add_run(&sums, ledger);
        story->expect(&run);
        fault_run_clean(&run);
        assert_true(at < story->most_calls);
    }
    print_sums(&sums);
    assert_true(sums.runs > story->least_calls);
    return sums;
}

struct fault_sums fault_story_storm(const struct fault_story *story, uint32_t runs, uint32_t least,
                                    uint32_t step)
{
    struct fault_sums sums = {0};
    for (uint32_t seed = 1; seed <= runs; seed++) {
        struct fault_run run;
        fault_run_init(&run, story);
        run.live.faults.storm = least + seed % 10 * step;
        run.live.faults.storm_state = seed * 2654435761u;
        story->live(&run);
        add_run(&sums, run.ledger);
        story->expect(&run);
        fault_run_clean(&run);
    }
    print_sums(&sums);
    return sums;
}

/* ---- Death ---- */

bool fault_run_die_at(struct fault_run *run, const struct fault_story *story, int64_t at)
{
    run->live.faults.death_at = at;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        story->live(run);
        _exit(LIVED);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == LIVED));
    run->live.faults.death_at = 0;
    run->live.faults.kind = FAULT_NONE;
    story->expect(run);
    return WEXITSTATUS(status) == 0;
}

void fault_story_die_at_each_call(const struct fault_story *story)
{
    int64_t deaths = 0;
    bool died = true;
    while (died) {
        struct fault_run run;
        fault_run_init(&run, story);
        died = fault_run_die_at(&run, story, deaths + 1);
        fault_run_clean(&run);
        deaths += died;
        assert_true(deaths < story->most_calls);
    }
    print_message("           %d deaths\n", (int)deaths);
    assert_true(deaths >= story->least_calls);
}
