/*
 * pages.c - the site's pages: whole HTML files, found by name.
 */
#include "handlers/site/site.h"

enum hearth_error site_home(const struct request *request, struct response *response, void *state)
{
    const struct site *site = state;
    const struct static_entry *home = static_map_find(&site->map, VIEW("/"));
    if (!home)
        return request_fail_internal(request, HEARTH_NOT_FOUND, 0,
                                     "there was no pages/home.html in site.directory (%s) when "
                                     "the program was started",
                                     site->directory);
    return site_send(site, request, response, home);
}

enum hearth_error site_page(const struct request *request, struct response *response, void *state)
{
    const struct site *site = state;
    const struct static_entry *page = static_map_find(&site->map, request->path);
    return site_send(site, request, response, page && page->kind == STATIC_PAGE ? page : NULL);
}
