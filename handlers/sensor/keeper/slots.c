/*
 * slots.c - where worker threads hand their batches to the keeper; slots.h has the state machine.
 *
 * The memory: this head, the bitmap of submitted slots, a cache line for each slot (its word and
 * its result), then the bodies, a page each, of which only those ever used are touched. `high`
 * bounds how far anyone needs to look; it is raised before a slot is claimed for the first time.
 *
 * All atomics are sequentially consistent. Two pairs depend on it: a submitter raises `doorbell`
 * and then reads `sleeping`, the keeper sets `sleeping` and then has the kernel compare `doorbell`;
 * whoever frees a slot clears its word and then reads `freed`, a waiter makes that odd and then
 * looks at the words. An odd `freed` says that somebody may wait; who frees a slot makes it even
 * again, and wakes all. So a waiter that was killed costs one call for nothing, and no more.
 */
#include "handlers/sensor/keeper/slots.h"

#include "handlers/sensor/keeper/shared_futex.h"

#include <limits.h>
#include <string.h>
#include <sys/wait.h>

enum slot_state { FREE, CLAIMED, SUBMITTED, TAKEN, ABANDONED, DONE, FAILED };
enum keeper_state { KEEPER_AWAITED, KEEPER_RUNS, KEEPER_DEAD };

enum {
    STATE_BITS = 3,
    PID_BITS = 22, /* Linux: at most 2^22 */
    EPOCH_BITS = 7,
    EPOCH_SHIFT = STATE_BITS + PID_BITS,
    PAGE_BYTES = 4096,
    LINE_BYTES = 64,
    WAIT_STEP_MS = 250,    /* how long anyone sleeps without looking at the clock */
    DEAD_KEEPER_MS = 1000, /* how long a submitter waits for the successor of a dead one */
    MS_NS = 1000000,
};

struct slot_head {
    _Alignas(LINE_BYTES) _Atomic uint32_t word;
    struct slot_result result;
};

struct slots {
    size_t count;
    size_t heads_offset, bodies_offset;
    _Atomic uint64_t keeper; /* state, epoch, process id: keeper_word */
    _Atomic uint32_t high;   /* slots from here on were never claimed */
    _Alignas(LINE_BYTES) _Atomic uint32_t doorbell;
    _Atomic uint32_t sleeping;
    _Alignas(LINE_BYTES) _Atomic uint32_t freed;
    _Alignas(LINE_BYTES) _Atomic uint64_t submitted[]; /* a bit a slot */
};

_Static_assert(sizeof(struct slot_head) == LINE_BYTES, "a slot's head is one cache line");
_Static_assert(sizeof(struct slot_body) == PAGE_BYTES, "a slot's body is one page");

/* ---- Words ---- */

static uint32_t make_word(enum slot_state state, int64_t pid, uint32_t epoch)
{
    return (uint32_t)state | ((uint32_t)pid & ((1u << PID_BITS) - 1)) << STATE_BITS |
           epoch << EPOCH_SHIFT;
}

static enum slot_state state_of(uint32_t word)
{
    return (enum slot_state)(word & ((1u << STATE_BITS) - 1));
}

static int64_t pid_of(uint32_t word)
{
    return word >> STATE_BITS & ((1u << PID_BITS) - 1);
}

static uint32_t epoch_of(uint32_t word)
{
    return word >> EPOCH_SHIFT;
}

/* The keeper's word: process id above, then epoch, then state. */
static uint64_t make_keeper(enum keeper_state state, uint32_t epoch, int64_t pid)
{
    return (uint64_t)pid << 16 | (uint64_t)epoch << 8 | (uint64_t)state;
}

static enum keeper_state keeper_state_of(uint64_t keeper)
{
    return (enum keeper_state)(keeper & 0xFF);
}

static uint32_t keeper_epoch_of(uint64_t keeper)
{
    return keeper >> 8 & ((1u << EPOCH_BITS) - 1);
}

/* ---- Memory ---- */

static size_t round_up(size_t value, size_t to)
{
    return (value + to - 1) / to * to;
}

static size_t bitmap_words(size_t count)
{
    return (count + 63) / 64;
}

static size_t heads_offset(size_t count)
{
    return round_up(sizeof(struct slots) + bitmap_words(count) * sizeof(uint64_t), LINE_BYTES);
}

static size_t bodies_offset(size_t count)
{
    return round_up(heads_offset(count) + count * sizeof(struct slot_head), PAGE_BYTES);
}

size_t slots_bytes(size_t count)
{
    return bodies_offset(count) + count * sizeof(struct slot_body);
}

struct slots *slots_init(void *memory, size_t count)
{
    struct slots *slots = memory;
    slots->count = count;
    slots->heads_offset = heads_offset(count);
    slots->bodies_offset = bodies_offset(count);
    return slots;
}

size_t slots_count(const struct slots *slots)
{
    return slots->count;
}

static struct slot_head *head_of(struct slots *slots, size_t slot)
{
    return (struct slot_head *)((char *)slots + slots->heads_offset) + slot;
}

struct slot_body *slots_body(struct slots *slots, int slot)
{
    return (struct slot_body *)((char *)slots + slots->bodies_offset) + slot;
}

/* ---- Freeing ---- */

static bool change(struct slot_head *head, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&head->word, &from, to);
}

static bool free_slot(struct slots *slots, struct slot_head *head, uint32_t word)
{
    if (!change(head, word, make_word(FREE, 0, 0)))
        return false;
    uint32_t freed = atomic_load(&slots->freed);
    if (freed % 2 != 0 && atomic_compare_exchange_strong(&slots->freed, &freed, freed + 1))
        shared_futex_wake(&slots->freed, INT_MAX);
    return true;
}

static bool fail_slot(struct slot_head *head, uint32_t word)
{
    if (!change(head, word, make_word(FAILED, pid_of(word), 0)))
        return false;
    shared_futex_wake(&head->word, 1);
    return true;
}

/* ---- Worker ---- */

static void raise_high(struct slots *slots, uint32_t high)
{
    uint32_t seen = atomic_load(&slots->high);
    while (seen < high && !atomic_compare_exchange_weak(&slots->high, &seen, high))
        ;
}

static bool claim_at(struct slots *slots, size_t slot, int64_t pid)
{
    raise_high(slots, (uint32_t)slot + 1);
    struct slot_head *head = head_of(slots, slot);
    return atomic_load(&head->word) == make_word(FREE, 0, 0) &&
           change(head, make_word(FREE, 0, 0), make_word(CLAIMED, pid, 0));
}

int slots_try_claim(struct slots *slots, int64_t pid)
{
    /* The slot this thread had last: its body is in the cache, and nobody else goes for it. */
    static _Thread_local size_t last;
    if (last < slots->count && last < atomic_load(&slots->high) && claim_at(slots, last, pid))
        return (int)last;
    for (size_t slot = 0; slot < slots->count; slot++) {
        if (claim_at(slots, slot, pid)) {
            last = slot;
            return (int)slot;
        }
    }
    return SLOT_NONE;
}

int slots_claim(struct slots *slots, int64_t pid, const struct clock *clock, int64_t deadline_ns)
{
    int slot = slots_try_claim(slots, pid);
    while (slot == SLOT_NONE && clock_monotonic_ns(clock) < deadline_ns) {
        uint32_t freed = atomic_fetch_or(&slots->freed, 1) | 1;
        slot = slots_try_claim(slots, pid);
        if (slot == SLOT_NONE) {
            shared_futex_wait(&slots->freed, freed, (int64_t)WAIT_STEP_MS * MS_NS);
            slot = slots_try_claim(slots, pid);
        }
    }
    return slot;
}

void slots_unclaim(struct slots *slots, int slot)
{
    struct slot_head *head = head_of(slots, (size_t)slot);
    free_slot(slots, head, atomic_load(&head->word));
}

static void mark_submitted(struct slots *slots, size_t slot)
{
    atomic_fetch_or(&slots->submitted[slot / 64], UINT64_C(1) << slot % 64);
}

void slots_ring(struct slots *slots)
{
    atomic_fetch_add(&slots->doorbell, 1);
    if (atomic_load(&slots->sleeping) != 0)
        shared_futex_wake(&slots->doorbell, 1);
}

void slots_submit(struct slots *slots, int slot)
{
    struct slot_head *head = head_of(slots, (size_t)slot);
    uint32_t word = atomic_load(&head->word);
    if (change(head, word, make_word(SUBMITTED, pid_of(word), 0)))
        mark_submitted(slots, (size_t)slot);
}

/* The deadline passed: takes the slot back from the keeper, or leaves it to it. */
static bool give_up(struct slots *slots, struct slot_head *head, uint32_t word)
{
    if (state_of(word) == SUBMITTED)
        return free_slot(slots, head, word);
    return change(head, word, make_word(ABANDONED, 0, epoch_of(word)));
}

/* The end of the wait, when it has come. */
static bool take_result(struct slots *slots, struct slot_head *head, uint32_t word,
                        struct slot_result *result, enum hearth_error *outcome)
{
    enum slot_state state = state_of(word);
    if (state == SUBMITTED || state == TAKEN)
        return false;
    *outcome = state == DONE ? HEARTH_OK : HEARTH_UNAVAILABLE;
    if (state == DONE)
        *result = head->result;
    if (state == DONE || state == FAILED) /* else the master took this process for dead */
        free_slot(slots, head, word);
    return true;
}

enum hearth_error slots_wait(struct slots *slots, int slot, const struct clock *clock,
                             int64_t deadline_ns, struct slot_result *result)
{
    struct slot_head *head = head_of(slots, (size_t)slot);
    enum hearth_error outcome;
    int64_t dead_since_ns = -1;
    for (;;) {
        uint32_t word = atomic_load(&head->word);
        if (take_result(slots, head, word, result, &outcome))
            return outcome;
        int64_t now_ns = clock_monotonic_ns(clock), until_ns = deadline_ns;
        if (keeper_state_of(atomic_load(&slots->keeper)) != KEEPER_DEAD)
            dead_since_ns = -1;
        else if (dead_since_ns < 0)
            dead_since_ns = now_ns;
        outcome = HEARTH_DEADLINE;
        if (dead_since_ns >= 0 && dead_since_ns + (int64_t)DEAD_KEEPER_MS * MS_NS < until_ns) {
            until_ns = dead_since_ns + (int64_t)DEAD_KEEPER_MS * MS_NS;
            outcome = HEARTH_UNAVAILABLE;
        }
        if (now_ns >= until_ns) {
            if (give_up(slots, head, word))
                return outcome;
            continue;
        }
        int64_t step_ns = until_ns - now_ns;
        if (step_ns > (int64_t)WAIT_STEP_MS * MS_NS)
            step_ns = (int64_t)WAIT_STEP_MS * MS_NS;
        shared_futex_wait(&head->word, word, step_ns);
    }
}

/* ---- Keeper ---- */

int64_t slots_keeper_pid(const struct slots *slots)
{
    return (int64_t)(atomic_load(&slots->keeper) >> 16);
}

bool slots_keeper_is_dead(const struct slots *slots)
{
    return keeper_state_of(atomic_load(&slots->keeper)) == KEEPER_DEAD;
}

/* What a keeper of another epoch had taken is answered; what waits is marked again, since a dead
 * keeper may have cleared its bit. */
void slots_keeper_begin(struct slots *slots, int64_t pid)
{
    uint32_t epoch = (keeper_epoch_of(atomic_load(&slots->keeper)) + 1) & ((1u << EPOCH_BITS) - 1);
    atomic_store(&slots->keeper, make_keeper(KEEPER_RUNS, epoch, pid));
    uint32_t high = atomic_load(&slots->high);
    for (uint32_t slot = 0; slot < high; slot++) {
        struct slot_head *head = head_of(slots, slot);
        uint32_t word = atomic_load(&head->word);
        bool foreign = epoch_of(word) != epoch;
        /* Whoever changes the word in between leaves nothing to do. */
        while ((state_of(word) == TAKEN && foreign && !fail_slot(head, word)) ||
               (state_of(word) == ABANDONED && foreign && !free_slot(slots, head, word)))
            word = atomic_load(&head->word);
        if (state_of(atomic_load(&head->word)) == SUBMITTED)
            mark_submitted(slots, slot);
    }
}

/* Answers those that wait for the keeper of that epoch, or for any, with FAILED. */
static void fail_waiting(struct slots *slots, uint32_t epoch)
{
    uint32_t high = atomic_load(&slots->high);
    for (uint32_t slot = 0; slot < high; slot++) {
        struct slot_head *head = head_of(slots, slot);
        for (;;) {
            uint32_t word = atomic_load(&head->word);
            enum slot_state state = state_of(word);
            bool ours = epoch_of(word) == epoch;
            bool done = true;
            if (state == SUBMITTED || (state == TAKEN && ours))
                done = fail_slot(head, word);
            else if (state == ABANDONED && ours)
                done = free_slot(slots, head, word);
            if (done)
                break;
        }
    }
}

void slots_keeper_end(struct slots *slots, bool failed)
{
    uint64_t keeper = atomic_load(&slots->keeper);
    uint32_t epoch = keeper_epoch_of(keeper);
    enum keeper_state state = failed ? KEEPER_DEAD : KEEPER_AWAITED;
    atomic_store(&slots->keeper, make_keeper(state, epoch, (int64_t)(keeper >> 16)));
    if (failed)
        fail_waiting(slots, epoch);
}

/* Takes what was submitted among 64 slots; gives back the bits that found no room. */
static uint64_t gather_word(struct slots *slots, size_t first, uint64_t bits, uint32_t epoch,
                            int *taken, size_t capacity, size_t *count)
{
    while (bits != 0 && *count < capacity) {
        size_t slot = first + (size_t)__builtin_ctzll(bits);
        struct slot_head *head = head_of(slots, slot);
        bits &= bits - 1;
        uint32_t word = atomic_load(&head->word);
        if (state_of(word) == SUBMITTED &&
            change(head, word, make_word(TAKEN, pid_of(word), epoch)))
            taken[(*count)++] = (int)slot;
    }
    return bits;
}

size_t slots_gather(struct slots *slots, int *taken, size_t capacity)
{
    uint32_t epoch = keeper_epoch_of(atomic_load(&slots->keeper));
    size_t words = bitmap_words(atomic_load(&slots->high)), count = 0;
    for (size_t i = 0; i < words && count < capacity; i++) {
        if (atomic_load(&slots->submitted[i]) == 0)
            continue;
        uint64_t bits = atomic_exchange(&slots->submitted[i], 0);
        bits = gather_word(slots, i * 64, bits, epoch, taken, capacity, &count);
        if (bits != 0)
            atomic_fetch_or(&slots->submitted[i], bits);
    }
    return count;
}

void slots_answer(struct slots *slots, int slot, const struct slot_result *result)
{
    struct slot_head *head = head_of(slots, (size_t)slot);
    uint32_t epoch = keeper_epoch_of(atomic_load(&slots->keeper));
    uint32_t word = atomic_load(&head->word);
    if (state_of(word) == TAKEN && epoch_of(word) == epoch) {
        head->result = *result;
        if (change(head, word, make_word(DONE, pid_of(word), 0))) {
            shared_futex_wake(&head->word, 1);
            return;
        }
        word = atomic_load(&head->word);
    }
    if (state_of(word) == ABANDONED && epoch_of(word) == epoch)
        free_slot(slots, head, word);
}

uint32_t slots_rings(const struct slots *slots)
{
    return atomic_load(&slots->doorbell);
}

void slots_sleep(struct slots *slots, uint32_t rings, int64_t milliseconds)
{
    atomic_store(&slots->sleeping, 1);
    shared_futex_wait(&slots->doorbell, rings, milliseconds * MS_NS); /* compares once more */
    atomic_store(&slots->sleeping, 0);
}

/* ---- Master ---- */

/* Is it a child of this process that has not ended? */
static bool child_lives(int64_t pid)
{
    siginfo_t info = {0};
    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void slots_keeper_died(struct slots *slots)
{
    uint64_t keeper = atomic_load(&slots->keeper);
    if (keeper_state_of(keeper) == KEEPER_RUNS && child_lives((int64_t)(keeper >> 16)))
        return;
    uint32_t epoch = keeper_epoch_of(keeper);
    uint64_t dead = make_keeper(KEEPER_DEAD, epoch, (int64_t)(keeper >> 16));
    /* When a successor began just now, it has answered them itself. */
    if (atomic_compare_exchange_strong(&slots->keeper, &keeper, dead))
        fail_waiting(slots, epoch);
}

void slots_worker_ended(struct slots *slots, int64_t pid)
{
    uint32_t high = atomic_load(&slots->high);
    for (uint32_t slot = 0; slot < high; slot++) {
        struct slot_head *head = head_of(slots, slot);
        for (;;) {
            uint32_t word = atomic_load(&head->word);
            if (state_of(word) == FREE || state_of(word) == ABANDONED || pid_of(word) != pid)
                break;
            bool done = state_of(word) == TAKEN
                            ? change(head, word, make_word(ABANDONED, 0, epoch_of(word)))
                            : free_slot(slots, head, word);
            if (done)
                break;
        }
    }
}

void slots_forget_hints(struct slots *slots)
{
    for (size_t i = 0; i < bitmap_words(slots->count); i++)
        atomic_store(&slots->submitted[i], 0);
}

size_t slots_in_use(const struct slots *slots)
{
    const struct slot_head *heads =
        (const struct slot_head *)((const char *)slots + slots->heads_offset);
    uint32_t high = atomic_load(&slots->high);
    size_t used = 0;
    for (uint32_t slot = 0; slot < high; slot++)
        used += state_of(atomic_load(&heads[slot].word)) != FREE;
    return used;
}

bool slots_awaited(const struct slots *slots)
{
    return atomic_load(&slots->freed) % 2 != 0;
}
