/*
 * site.h - what the site's handlers share.
 */
#ifndef HEARTH_SITE_SITE_H
#define HEARTH_SITE_SITE_H

#include "handlers/site/static_map.h"
#include "hearth/module.h"

/* Made at start, then only read. */
struct site {
    const char *directory;      /* site.directory, for the log */
    struct object_store *files; /* over it; NULL when it cannot be read */
    struct static_map map;
};

/* pages.c: "/", "/{page}" */
handler_fn site_home, site_page;
/* static_files.c: "/static/{path...}", "/favicon.ico" */
handler_fn site_static, site_favicon;

/* static_files.c: answers with the entry's file; NULL is 404. */
HEARTH_MUST_CHECK enum hearth_error site_send(const struct site *site,
                                              const struct request *request,
                                              struct response *response,
                                              const struct static_entry *entry);

/* accept_encoding.c: shall a client with these headers be sent gzip (RFC 9110, 12.5.3)? True when
 * it accepts it, and not less than the content as it is. */
bool site_accepts_gzip(const struct request *request);

#endif
