/*
 * keeper_sealing.c - the keeper's second thread. It sleeps on a bell of its own; now and then it
 * looks around by itself, which is also how a failed try comes up again.
 */
#include "handlers/sensor/keeper/keeper_sealing.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/keeper/shared_futex.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { LOOK_AROUND_NS = 1000000000 };

struct keeper_sealing {
    struct sealer *sealer;
    struct keeper_requests *requests;
    pthread_t thread;
    _Atomic uint32_t bell;
    _Atomic bool ends;
};

/* False when there was nothing to do. */
static bool seal_once(struct keeper_sealing *sealing)
{
    uint32_t asked = atomic_load(&sealing->requests->asked);
    bool wanted = keeper_requests_wait(sealing->requests);
    if (!wanted && !sealer_is_due(sealing->sealer))
        return false;
    enum hearth_error code = sealer_run(sealing->sealer, wanted, NULL);
    /* What was asked for and not begun is the successor's. */
    if (wanted && !atomic_load(&sealing->ends))
        keeper_requests_serve(sealing->requests, asked, code);
    return true;
}

static void *run(void *argument)
{
    struct keeper_sealing *sealing = argument;
    while (!atomic_load(&sealing->ends)) {
        uint32_t rung = atomic_load(&sealing->bell);
        if (!seal_once(sealing))
            shared_futex_wait(&sealing->bell, rung, LOOK_AROUND_NS);
    }
    return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct keeper_sealing *sealing)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* a bad page of a mapped file: of the thread that read it */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&sealing->thread, NULL, run, sealing);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

struct keeper_sealing *keeper_sealing_start(struct live_store *store, sealer_summary_fn *summarize,
                                            void *context, struct keeper_requests *requests,
                                            struct error_record *error)
{
    struct keeper_sealing *sealing = memory_new_zero(1, sizeof *sealing);
    if (!sealing) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the sealing thread");
        return NULL;
    }
    sealing->requests = requests;
    sealing->sealer = sealer_new(store, summarize, context, error);
    int number = sealing->sealer ? start_thread(sealing) : 0;
    if (sealing->sealer && number == 0)
        return sealing;
    if (number != 0)
        error_set_internal(error, HEARTH_IO, number, "the sealing thread: %s", strerror(number));
    sealer_free(sealing->sealer);
    memory_free(sealing);
    return NULL;
}

void keeper_sealing_wake(struct keeper_sealing *sealing)
{
    atomic_fetch_add(&sealing->bell, 1);
    shared_futex_wake(&sealing->bell, 1);
}

void keeper_sealing_stop(struct keeper_sealing *sealing)
{
    if (!sealing)
        return;
    atomic_store(&sealing->ends, true);
    sealer_end(sealing->sealer);
    keeper_sealing_wake(sealing);
    pthread_join(sealing->thread, NULL);
    sealer_free(sealing->sealer);
    memory_free(sealing);
}
