/*
 * fcgi_main.h - the worker pool as a program: arguments in, exit status out.
 *
 * app/main_fcgi.c hands over the modules of the product; a test program brings its own. See
 * docs/hearth-fcgi.8 for the arguments, signals and exit codes.
 */
#ifndef HEARTH_FCGI_MAIN_H
#define HEARTH_FCGI_MAIN_H

#include "hearth/module.h"

enum {
    FCGI_EXIT_OK = 0,      /* ended as it was told, or --check found nothing wrong */
    FCGI_EXIT_FAILED = 1,  /* could not start: the socket, the keeper, a module */
    FCGI_EXIT_MISTAKEN = 2 /* a mistake in the arguments or in the configuration */
};

/* Runs until the pool has ended. `modules` is NULL-terminated. */
int fcgi_main(int argc, char **argv, const struct module *const *modules);

#endif
