/*
 * ingest_body.h - the body of a request that brings readings, whole and as it was before it was
 * packed.
 */
#ifndef HEARTH_SENSOR_INGEST_BODY_H
#define HEARTH_SENSOR_INGEST_BODY_H

#include "hearth/request.h"

/* Appends the body to `body`, whose maximum holds for what comes and for what it unpacks to.
 * Content-Encoding: identity or gzip (RFC 1952, members one after the other as well). Errors:
 * BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE (another coding), BAD_BODY (no gzip, broken, or cut off),
 * NO_MEMORY, those of body_read. */
HEARTH_MUST_CHECK enum hearth_error ingest_body_read(const struct request *request,
                                                     struct buffer *body);

#endif
