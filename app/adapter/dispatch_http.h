/*
 * dispatch_http.h - what the http.* rows of the configuration become.
 */
#ifndef HEARTH_DISPATCH_HTTP_H
#define HEARTH_DISPATCH_HTTP_H

#include "app/http/cors.h"
#include "hearth/config.h"

struct http_settings {
    struct request_limits limits; /* `trusted` points to the member below */
    struct trust_list *trusted;
    struct cors *cors;
};

/* Errors: BAD_REQUEST (`error` names the key). Cleaned by the caller either way. */
HEARTH_MUST_CHECK enum hearth_error http_settings_init(struct http_settings *settings,
                                                       const struct config *config,
                                                       struct error_record *error);
void http_settings_clean(struct http_settings *settings);
/* Says what init would stumble over. */
void http_settings_check(const struct config *config, struct config_problems *problems);

#endif
