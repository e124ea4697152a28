/*
 * slots.h - where worker threads hand their batches to the keeper: shared memory and futexes.
 *
 * Each slot has one 32-bit word, which is its state, its owner and its futex, so that a process may
 * be killed between any two instructions and nothing is lost track of:
 *
 *   bits 0..2    state
 *   bits 3..24   process id of the worker that holds it (0 when FREE)
 *   bits 25..31  epoch of the keeper that works on it (TAKEN and ABANDONED)
 *
 *   from        to          by       when
 *   FREE        CLAIMED     worker   a thread takes it; from here on the body is the thread's
 *   CLAIMED     SUBMITTED   worker   the body is filled; from here on the body is the keeper's
 *   CLAIMED     FREE        worker   it changed its mind
 *   SUBMITTED   TAKEN       keeper   it gathers a commit
 *   SUBMITTED   FREE        worker   its deadline passed: withdrawn
 *   SUBMITTED   FAILED      master, keeper   there is no keeper, or it ends with an error
 *   TAKEN       DONE        keeper   durable or refused: the result stands in the slot
 *   TAKEN       ABANDONED   worker   its deadline passed while the keeper works on it
 *   TAKEN       ABANDONED   master   its worker ended while the keeper works on it
 *   TAKEN       FAILED      master, next keeper   the keeper of that epoch died
 *   ABANDONED   FREE        keeper   the work is finished; nobody waits for it
 *   ABANDONED   FREE        master, next keeper   the keeper of that epoch died
 *   DONE        FREE        worker   the thread has read the result
 *   FAILED      FREE        worker   the thread has seen it
 *   CLAIMED, SUBMITTED, DONE, FAILED   FREE   master   its worker ended
 *
 * Every transition is one compare-and-swap on the whole word: who loses looks again. "Master" is
 * the parent of worker and keeper processes, which learns of their end.
 *
 * A bitmap says which slots were submitted, so that the keeper never looks at the idle ones; a bit
 * is a hint, the word decides. `doorbell` counts submissions and is the keeper's futex.
 *
 * The keeper's own word (epoch, process id, state) tells submitters whether it runs, is being
 * handed over (they wait) or is dead (they wait for a moment, then get UNAVAILABLE).
 *
 * Everything may be called from any thread and process, unless it is said whose it is.
 */
#ifndef HEARTH_SENSOR_SLOTS_H
#define HEARTH_SENSOR_SLOTS_H

#include "hearth/clock.h"
#include "hearth/reading_store.h"

#include <stdatomic.h>

enum {
    SLOT_BODY_BYTES = 4096,
    SLOT_BODY_HEAD_BYTES = 8,
    SLOT_CONTENT_BYTES = SLOT_BODY_BYTES - SLOT_BODY_HEAD_BYTES,
    SLOT_RECORDS = SLOT_CONTENT_BYTES / RECORD_BYTES, /* 340 */
    SLOT_NONE = -1,
};

/* What a worker wants stored: records first, then rejected texts (slot_text.h). */
struct slot_body {
    uint32_t record_count, text_bytes;
    unsigned char content[SLOT_CONTENT_BYTES];
};

/* What the keeper says about it. */
struct slot_result {
    uint32_t error; /* enum hearth_error */
    int32_t number; /* errno, or 0 */
    uint32_t accepted, duplicate, quarantined;
    int64_t first_ms, last_ms;
};

struct slots;

/* Bytes for so many slots; the memory must be page-aligned for untouched bodies to stay so, and is
 * shared and zeroed. */
size_t slots_bytes(size_t count);
struct slots *slots_init(void *memory, size_t count);
size_t slots_count(const struct slots *slots);

/* ---- Worker ---- */

/* A slot for this thread, or SLOT_NONE when none is free. */
int slots_try_claim(struct slots *slots, int64_t pid);
/* The same, waiting for one. SLOT_NONE when the deadline passed. */
int slots_claim(struct slots *slots, int64_t pid, const struct clock *clock, int64_t deadline_ns);
/* Its body, to be filled between claim and submit. */
struct slot_body *slots_body(struct slots *slots, int slot);
/* Hands it over. Ring when all are: what is submitted before one ring is committed together. */
void slots_submit(struct slots *slots, int slot);
/* Waits for the result and frees the slot, whatever comes back. OK: `result` is the keeper's.
 * UNAVAILABLE: the keeper died. DEADLINE: withdrawn or left to the keeper. */
HEARTH_MUST_CHECK enum hearth_error slots_wait(struct slots *slots, int slot,
                                               const struct clock *clock, int64_t deadline_ns,
                                               struct slot_result *result);
/* Gives back a claimed slot that was not submitted. */
void slots_unclaim(struct slots *slots, int slot);

/* ---- Keeper: one thread of the process that holds store.lock ---- */

/* Begins an epoch; what a dead predecessor had taken is answered. */
void slots_keeper_begin(struct slots *slots, int64_t pid);
/* Nobody works on the slots from here on. With `failed`, everyone waiting gets UNAVAILABLE; without
 * (handover), they go on waiting for the next keeper. */
void slots_keeper_end(struct slots *slots, bool failed);
/* Takes submitted slots, up to `capacity`; gives back how many. */
size_t slots_gather(struct slots *slots, int *taken, size_t capacity);
/* Answers one that was gathered. */
void slots_answer(struct slots *slots, int slot, const struct slot_result *result);
/* The number of rings so far: read it before gathering, give it to slots_sleep. */
uint32_t slots_rings(const struct slots *slots);
/* Sleeps until a ring after that number, or for so long. */
void slots_sleep(struct slots *slots, uint32_t rings, int64_t milliseconds);
/* The process id of the keeper that runs or ran last, 0 = none yet. */
int64_t slots_keeper_pid(const struct slots *slots);

/* ---- Anyone ---- */

/* Did it end with an error, or die, and is there no successor yet? */
bool slots_keeper_is_dead(const struct slots *slots);

/* Wakes the keeper. */
void slots_ring(struct slots *slots);

/* ---- Master ---- */

/* The keeper's process died: everyone waiting gets UNAVAILABLE. Nothing is done when its successor
 * runs already, as a child of the caller. */
void slots_keeper_died(struct slots *slots);
void slots_worker_ended(struct slots *slots, int64_t pid);

/* ---- For tests ---- */

/* How many slots are not free. */
size_t slots_in_use(const struct slots *slots);
/* Does whoever frees a slot take it that somebody waits for one? */
bool slots_awaited(const struct slots *slots);
/* As if a keeper had died after it cleared the bits and before it took a slot. */
void slots_forget_hints(struct slots *slots);

#endif
