/*
 * support_keeper.h - a keeper beside the test, as the pool runs one: in a process of its own, or on
 * a thread where ThreadSanitizer shall see both sides.
 */
#ifndef TESTS_SUPPORT_KEEPER_H
#define TESTS_SUPPORT_KEEPER_H

#include "support_live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "handlers/sensor/keeper/keeper.h"

struct keeper_board {         /* shared with the keeper's process */
    _Atomic int stop_through; /* keepers up to this number shall end */
    _Atomic int ready;        /* the number of the newest that is ready */
    _Atomic int error;        /* what the last one that ended gave back */
};

struct keeper_case {
    struct live_case live;
    struct config *config;
    struct services services;
    size_t shared_bytes;
    struct keeper_board *board;
    int number; /* of the newest keeper */
    pid_t process;
    pthread_t thread;
    bool runs, on_thread;
};

/* `live_bytes`: sensor.live_bytes. The keeper is not started. */
void keeper_case_init(struct keeper_case *test, size_t threads, int64_t live_bytes);
/* Stops the keeper when it runs. */
void keeper_case_clean(struct keeper_case *test);
/* Starts one and waits until it is ready. */
void keeper_case_start(struct keeper_case *test, bool on_thread);
/* Starts one and does not wait. */
void keeper_case_launch(struct keeper_case *test, bool on_thread);
void keeper_case_await(struct keeper_case *test);
/* Tells it to end and waits until it has; gives back what sensor_keeper_run did. */
enum hearth_error keeper_case_stop(struct keeper_case *test);
/* As on a reload: the next one is started, `first` or after the old one was told to end. */
void keeper_case_handover(struct keeper_case *test, bool first);
/* kill -9, and what the master does then. A process only. */
void keeper_case_kill(struct keeper_case *test);
/* A worker's store. */
struct reading_store *keeper_case_open(struct keeper_case *test);

/* Memory shared with children. */
void *shared_memory(size_t bytes);

#endif
