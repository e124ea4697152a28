/*
 * support_stories.h - a module whose handlers do all that handlers do, and all that they should
 * not; one app over it at a time.
 *
 *     GET  /hello          200 "hello", 12 ms later        GET /short    fewer bytes than stated
 *     GET  /hello/{name}   a page, left unfinished         GET /late     an error after the end
 *     POST /echo           the body                        GET /gone     CLIENT_GONE
 *     POST /ignore         200, the body is not read       GET /giving-up  aborts, says OK
 *     GET  /fail?code=N    that error; &secret=1 inside    GET /slow     waits, BULKHEAD_SLOW
 *     GET  /page?code=N    that error, on a page           GET /password waits, BULKHEAD_PASSWORD
 *     GET  /half           an error, half said             *   /any      headers an upstream sets
 *     GET  /broken         an error, the head sent         GET /bulk/{name}  BULKHEAD_BULK,
 *                                                                        left unfinished
 *     GET  /bulk/large     20,000 bytes, BULKHEAD_BULK
 */
#ifndef TESTS_SUPPORT_STORIES_H
#define TESTS_SUPPORT_STORIES_H

#include <semaphore.h>

#include "support_dispatch.h"

enum { STORIES_THREADS = 6, STORIES_LARGE_BYTES = 20000 };

extern struct app_case stories_case;
extern const struct module stories_module;
extern const struct module *const stories_modules[];
/* A slow handler posts the one when it begins and waits for the other. */
extern sem_t stories_slow_entered, stories_slow_go;

void stories_start(const char *config);
void stories_stop(void);
/* The last request's line in the log has that member (NULL: has none). */
void stories_expect_logged(const char *key, const char *expected);

#endif
