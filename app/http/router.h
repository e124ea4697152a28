/*
 * router.h - method and path to a route.
 *
 * Built once from the modules' route tables, then read by all threads. A trie over path segments:
 * literals first, then a parameter, then a tail; it backs off, so "/a/{x}/c" is found beside
 * "/a/b".
 */
#ifndef HEARTH_ROUTER_H
#define HEARTH_ROUTER_H

#include "hearth/module.h"

struct router;

struct router_target {
    const struct route *route;
    void *state; /* the module's */
    const char *module;
    size_t index; /* dense, 0..router_count - 1, for tables per route */
};

struct router_match {
    const struct router_target *target; /* NULL unless outcome is ROUTER_FOUND */
    struct view path_rest;              /* what a tail matched */
    char allow[96];                     /* "GET, HEAD, OPTIONS" on METHOD_NOT_ALLOWED and OPTIONS */
};

struct router *router_new(void); /* NULL when memory ran out */
void router_free(struct router *router);
/* Errors: MISUSE (a malformed pattern, or method and pattern exist; `error` names both), NO_MEMORY.
 */
HEARTH_MUST_CHECK enum hearth_error router_add(struct router *router, const struct route *route,
                                               const char *module, void *state,
                                               struct error_record *error);
size_t router_count(const struct router *router);
const struct router_target *router_target(const struct router *router, size_t index);
/* HEARTH_OK, NOT_FOUND, METHOD_NOT_ALLOWED (allow is filled; OPTIONS comes back so too when no row
 * has it), NO_MEMORY. Fills request->route and request->parameters. */
HEARTH_MUST_CHECK enum hearth_error
router_find(const struct router *router, struct request *request, struct router_match *match);

#endif
