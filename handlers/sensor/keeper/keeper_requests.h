/*
 * keeper_requests.h - asking the keeper to seal, through the shared area.
 *
 * Whoever asks draws a number; the keeper's sealing thread serves all numbers drawn before it
 * began, and says how it went. A keeper that dies leaves the numbers to its successor. Any thread,
 * any process.
 */
#ifndef HEARTH_SENSOR_KEEPER_REQUESTS_H
#define HEARTH_SENSOR_KEEPER_REQUESTS_H

#include "handlers/sensor/keeper/slots.h"

#include <stdatomic.h>

/* Zeroed memory is a valid start. */
struct keeper_requests {
    _Atomic uint32_t asked;   /* the number drawn last */
    _Atomic uint32_t served;  /* up to here; a futex */
    _Atomic uint32_t outcome; /* enum hearth_error of the run served last */
};

uint32_t keeper_requests_ask(struct keeper_requests *requests);
bool keeper_requests_wait(const struct keeper_requests *requests); /* does anyone wait? */
/* Was that number served, and how? */
bool keeper_requests_served(const struct keeper_requests *requests, uint32_t number,
                            enum hearth_error *outcome);
/* Keeper: numbers up to this one are served. */
void keeper_requests_serve(struct keeper_requests *requests, uint32_t number,
                           enum hearth_error outcome);

/* reading_store.seal of a worker. Errors: the keeper's, UNAVAILABLE (there is none), DEADLINE. */
HEARTH_MUST_CHECK enum hearth_error
keeper_requests_seal(struct keeper_requests *requests, struct slots *slots,
                     const struct clock *clock, int64_t deadline_ns, struct error_record *error);

#endif
