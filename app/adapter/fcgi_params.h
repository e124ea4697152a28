/*
 * fcgi_params.h - from the parameters of a FastCGI request to what request_parse takes.
 *
 * The parameters are the environment of a CGI program (RFC 3875), as each front makes it. All of
 * them are walked in order, so that a header sent twice arrives twice.
 */
#ifndef HEARTH_FCGI_PARAMS_H
#define HEARTH_FCGI_PARAMS_H

#include "hearth/request.h"

struct fcgi_params {
    struct request_input input; /* without body and deadline */
    int64_t declared_bytes;     /* CONTENT_LENGTH; -1 = not said, or not a number */
    bool front_hides_breaks;    /* its client cannot tell a broken answer from a whole one */
};

/* `parameters`: "NAME=value" each, NULL behind the last. Names of headers are changed in place; all
 * views point into the texts or the arena. Errors: NO_MEMORY. What is malformed is passed on for
 * request_parse to refuse. */
HEARTH_MUST_CHECK enum hearth_error fcgi_params_read(struct arena *arena, char **parameters,
                                                     struct fcgi_params *params);

#endif
