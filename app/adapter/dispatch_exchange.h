/*
 * dispatch_exchange.h - one request on its way through an app, and the sink that stands between its
 * answer and the adapter's.
 */
#ifndef HEARTH_DISPATCH_EXCHANGE_H
#define HEARTH_DISPATCH_EXCHANGE_H

#include "app/adapter/dispatch_app.h"

struct exchange {
    struct response_sink sink;   /* what `response` writes to; the first member */
    struct response_sink *outer; /* the adapter's */
    struct body_source source;   /* what the body is read from */
    struct body_source *origin;  /* the adapter's, or NULL */
    struct app *app;
    struct request request;
    struct response response;
    const struct router_target *target; /* NULL until a route was found */
    enum bulkhead held;                 /* the class a place of which is to be given back */
    int sent_status;                    /* 0 until a head went out */
    uint64_t sent_bytes;                /* of the body */
    int64_t reading_ns;                 /* waited for and spent on the request's body */
    int64_t sending_ns;                 /* in the adapter's sink */
};

/* Parses the request and makes the response ready, also when the error is not OK. Errors: those of
 * request_parse. */
HEARTH_MUST_CHECK enum hearth_error exchange_begin(struct exchange *exchange, struct app *app,
                                                   struct arena *arena,
                                                   const struct request_input *input,
                                                   struct response_sink *outer);

/* The line in the log. `error` is what the request ended with. */
void exchange_log(const struct exchange *exchange, enum hearth_error error, int64_t duration_ns);
/* The status that was sent or, when nothing was, the one that `error` means. */
int exchange_status(const struct exchange *exchange, enum hearth_error error);

#endif
