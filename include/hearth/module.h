/*
 * module.h - what a handler module is, and what it is given.
 *
 * A module is a table of routes over plain functions, with hooks for the life of its state. One
 * table (app/modules.c) names the modules; nothing else knows them. A module never learns which
 * adapter runs it.
 *
 * Life, in the pool: the master loads the configuration and calls `shared_bytes`/`shared_init` once
 * for the life of the pool; each worker calls `start` before its threads begin and `stop` when they
 * have ended; the keeper process calls `keeper`.
 */
#ifndef HEARTH_MODULE_H
#define HEARTH_MODULE_H

#include "hearth/auth.h"
#include "hearth/config.h"
#include "hearth/object_store.h"
#include "hearth/response.h"

/* What a module may use. Everything outlives the module's state. */
struct services {
    const struct config *config;
    const struct clock *clock;
    struct metrics *metrics;      /* shared by all processes of the pool */
    struct object_store *objects; /* of this process */
    struct auth *auth;            /* of this process */
    void *shared;                 /* the module's own area in the shared mapping, or NULL */
    struct readiness *readiness;  /* what /readyz asks: see readiness_add */
};

/* Reads the request, writes the answer. HEARTH_OK: the answer is finished. Anything else becomes a
 * problem document (see response.h), with what request_fail recorded. Called on any thread of a
 * worker, many at once: `state` is only changed under locks or atomics. */
typedef enum hearth_error handler_fn(const struct request *request, struct response *response,
                                     void *state);

/* How many of a worker's threads the requests of a route may hold, so that they crowd out nothing
 * else: one that finds no place is answered 503 with Retry-After. A place is held until the answer
 * has ended. All classes but NONE together hold at most max(1, threads - 2), so that writes and
 * small answers find a thread whatever the others do. A worker with one thread has none to spare:
 * there, one request of a class holds up everything. */
enum bulkhead {
    BULKHEAD_NONE,     /* writing of readings, pages, answers that fit a socket: never refused */
    BULKHEAD_SLOW,     /* at an upstream's pace: at most max(1, threads - 4) */
    BULKHEAD_BULK,     /* answers of any size, at the client's pace: at most max(1, threads / 2) */
    BULKHEAD_PASSWORD, /* hashing: 2 */
    BULKHEAD_COUNT
};

enum route_kind {
    ROUTE_API,  /* errors are problem+json */
    ROUTE_PAGE, /* errors are HTML when Accept prefers it */
};

/* Patterns: "/posts/{slug}" (one segment), "/static/{path...}" (the rest, may be empty). A literal
 * wins over a parameter, a parameter over a tail. GET serves HEAD as well, unless HEAD has its own
 * row. */
struct route {
    const char *method; /* "GET"; "*" = any method not named by another row of the pattern */
    const char *pattern;
    handler_fn *handler;
    enum route_kind kind;
    enum bulkhead bulkhead;
};

struct keeper_control {
    /* True once the keeper shall end: finish what was taken, give back the lock, return. */
    bool (*should_stop)(const struct keeper_control *control);
    /* Call once, when ready for work: the master waits for it before it lets workers start. */
    void (*ready)(const struct keeper_control *control);
};

struct module {
    const char *name;
    struct config_rows rows;
    const struct route *routes;
    size_t route_count;

    /* All optional (NULL = nothing to do). */

    /* Checks that span several keys; adds to `problems`. Any process, no threads. */
    void (*check)(const struct config *config, struct config_problems *problems);
    /* Bytes in the shared mapping, and their start. Zeroed before; `threads` is the most that can
     * run at once over all workers, old and new ones of a reload together. Master, once. */
    size_t (*shared_bytes)(const struct config *config, size_t threads);
    enum hearth_error (*shared_init)(const struct config *config, void *shared, size_t threads);
    /* Makes the module's state. Worker, before its threads; also command line and tests. On error
     * the worker does not start; `error` says why. */
    enum hearth_error (*start)(const struct services *services, void **state,
                               struct error_record *error);
    void (*stop)(void *state);
    /* Is there anything at this address? Asked where a pattern of the module matches the path but
     * none of its methods is the request's, so that an address that leads nowhere is 404 for every
     * method. Without it there always is. Any thread. */
    bool (*has_address)(const struct request *request, void *state);
    /* Runs in the keeper process until should_stop; at most one module has it. An error return ends
     * the keeper; LOCKED and CORRUPT at start end the pool, with `error` as the message. */
    enum hearth_error (*keeper)(const struct services *services,
                                const struct keeper_control *control, struct error_record *error);
    /* Wakes a keeper that sleeps, so that it sees should_stop. Any process, any thread. */
    void (*keeper_wake)(void *shared);
    /* The keeper died without finishing: answer whoever waits for it with UNAVAILABLE. Master. */
    void (*keeper_died)(void *shared);
    /* A worker process died or ended: free what it held in the shared area. `pid` is that of the
     * worker. Master. */
    void (*worker_ended)(void *shared, int64_t pid);
};

/* NULL-terminated; defined in app/modules.c, and by test programs that bring their own. */
extern const struct module *const hearth_modules[];

/* ---- Readiness: a module that can be unready says so here ---- */

struct readiness;
/* True when it can serve; else `why` says what is missing. Any thread, must not block. */
typedef bool readiness_fn(void *context, char *why, size_t why_size);
struct readiness *readiness_new(void);
void readiness_free(struct readiness *readiness);
/* `name` is a literal. At most 16. Before threads start. */
void readiness_add(struct readiness *readiness, const char *name, readiness_fn *check,
                   void *context);
/* Calls `visit` for each; true when all are ready. */
bool readiness_check(struct readiness *readiness,
                     void (*visit)(void *visit_context, const char *name, bool ready,
                                   const char *why),
                     void *visit_context);

#endif
