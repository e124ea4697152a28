/*
 * fcgi_pool.h - the master: from a loaded configuration to the end of the pool.
 */
#ifndef HEARTH_FCGI_POOL_H
#define HEARTH_FCGI_POOL_H

#include "hearth/module.h"

struct fcgi_pool_options {
    const struct module *const *modules; /* Required. NULL-terminated. */
    struct config *config;               /* Required. Freed by fcgi_pool_run. */
    const char *config_path;             /* Read again at a reload. */
    bool foreground;                     /* Log as text, to standard error. */
};

/* Runs the pool until it has ended; gives back the exit status (fcgi_main.h). The process must have
 * one thread. What keeps the pool from starting is also printed to standard error. */
int fcgi_pool_run(const struct fcgi_pool_options *options);

/* Configures the log as the configuration says. Errors: IO. */
HEARTH_MUST_CHECK enum hearth_error fcgi_pool_log(const struct config *config, bool foreground);

#endif
