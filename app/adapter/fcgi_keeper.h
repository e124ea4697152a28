/*
 * fcgi_keeper.h - the keeper process: runs the one module that has a `keeper`.
 */
#ifndef HEARTH_FCGI_KEEPER_H
#define HEARTH_FCGI_KEEPER_H

#include <sys/types.h>

#include "app/adapter/fcgi_shared.h"

struct fcgi_keeper_options {
    const struct module *module; /* has `keeper` */
    const struct config *config;
    const struct fcgi_shared *shared;
    void *area; /* the module's */
    pid_t master;
    int report; /* the pipe on which it says that it is ready, or why not */
};

/* The module that has a keeper, its index in `*index`, or NULL. */
const struct module *fcgi_keeper_module(const struct module *const *modules, size_t *index);

/* The process's life, in the child after a fork; gives back its exit status: 0 when it ended as it
 * was told. SIGTERM, and the death of the master, tell it to end. */
int fcgi_keeper_run(const struct fcgi_keeper_options *options);

#endif
