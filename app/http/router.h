/*
 * router.h - method and path to a route.
 *
 * Built once from the modules' route tables, then read by all threads. A trie over path segments:
 * literals first, then a parameter, then a tail; it backs off, so "/a/{x}/c" is found beside
 * "/a/b".
 *
 * The path alone decides which pattern matches, the method is looked at then: a literal pattern
 * without the method answers 405, also where a wider pattern would have it. A parameter matches one
 * segment that is not empty. A tail matches what stands behind its slash, which may be nothing:
 * "/static/{path...}" has "/static/", but not "/static". Values are as in request.path, so an
 * encoded slash in them stays "%2F".
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

enum { ROUTER_ALLOW_SIZE = 96 };

struct router_match {
    const struct router_target *target; /* NULL unless router_find returns HEARTH_OK */
    const struct router_target *other; /* METHOD_NOT_ALLOWED: one of the rows that match the path */
    struct view path_rest;             /* what a tail matched */
    char allow[ROUTER_ALLOW_SIZE];     /* "GET, HEAD, OPTIONS", sorted; METHOD_NOT_ALLOWED only */
};

struct router *router_new(void); /* NULL when memory ran out */
void router_free(struct router *router);
/* `route` and `module` must outlive the router. Errors: MISUSE (a malformed pattern, or method and
 * pattern exist, whatever their parameters are called; `error` names both), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error router_add(struct router *router, const struct route *route,
                                               const char *module, void *state,
                                               struct error_record *error);
size_t router_count(const struct router *router);
const struct router_target *router_target(const struct router *router, size_t index);
/* HEARTH_OK, NOT_FOUND, METHOD_NOT_ALLOWED (allow is filled; OPTIONS comes back so too when no row
 * has it), NO_MEMORY. Fills request->route and request->parameters; on METHOD_NOT_ALLOWED the route
 * is the pattern of one of the rows that match the path. */
HEARTH_MUST_CHECK enum hearth_error
router_find(const struct router *router, struct request *request, struct router_match *match);

#endif
