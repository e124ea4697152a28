/*
 * fcgi_worker.h - a worker process: the app, its threads, its end.
 */
#ifndef HEARTH_FCGI_WORKER_H
#define HEARTH_FCGI_WORKER_H

#include <sys/types.h>

#include "app/adapter/fcgi_shared.h"
#include "app/adapter/fcgi_transport.h"

struct fcgi_worker_options {
    const struct module *const *modules;
    const struct config *config;
    const struct fcgi_shared *shared;
    enum fcgi_mode mode;
    int listener;
    size_t threads;
    size_t slot;
    pid_t master;
    int report; /* the pipe on which it says that it is ready, or why not */
};

/* The process's life, in the child after a fork; gives back its exit status. SIGTERM drains: it
 * stops accepting, serves its kept connections until the front closes them or
 * pool.drain_timeout_ms have passed, and ends. A second SIGTERM, and the death of the master, end
 * it sooner. */
int fcgi_worker_run(const struct fcgi_worker_options *options);

#endif
