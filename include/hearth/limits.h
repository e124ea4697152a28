/*
 * limits.h - the maxima that are not configuration, each with its reason.
 *
 * What a person may want to change is a configuration row (see app/core/config_rows.c); what stands
 * here bounds memory that only the code knows about.
 */
#ifndef HEARTH_LIMITS_H
#define HEARTH_LIMITS_H

#define LIMIT_ARENA_BYTES      (8u << 20) /* one request's own memory besides bodies: 8 MB */
#define LIMIT_ROUTE_PARAMETERS 8          /* no route of ours has more than 3 */
#define LIMIT_RESPONSE_HEADERS 64         /* an upstream may send many; browsers stop near 100 */
#define LIMIT_RESPONSE_HOLD    8192 /* a dynamic answer up to this size gets a Content-Length */
#define LIMIT_BODY_DRAIN       (1u << 20) /* what a handler left unread, taken off the line: 1 MB */
#define LIMIT_BODY_DRAIN_MS    2000 /* and no longer than this: a thread waits for nobody's rest */
#define LIMIT_LOG_LINE         8192 /* one write(2), well within what a pipe reader takes */
#define LIMIT_CONFIG_FILE      (1u << 20) /* a configuration is written by hand */
#define LIMIT_AUTH_FILE        (1u << 20) /* about 4,000 tokens */
#define LIMIT_OBJECT_KEY       1024       /* S3's own limit on a key */
#define LIMIT_READING_BYTES    65536      /* of JSON, which a reading takes some 200 of */
#define LIMIT_READING_MEMBERS  256        /* where it has 20; each costs json-c up to 400 bytes */
#define LIMIT_METRIC_SERIES    2048 /* 0.9 MB of addresses; touched as used, mostly 64 bytes each */

#endif
