/*
 * module.c - the site: pages and static files of a directory, through a map made at start-up.
 *
 * The directory is read through an object store of its own: what the store guarantees (one version
 * at a time, tags that follow the content, no way out through names or links) holds for the site.
 * A directory that is missing is no reason not to start: readings are worth more than pages.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "handlers/site/site.h"

static const struct config_row rows[] = {
    {.key = "site.directory",
     .type = CONFIG_STRING,
     .initial = "/usr/share/hearth/site",
     .text = "Where the site's files are: pages/NAME.html is served as /NAME (home.html as /), "
             "static/PATH as /static/PATH. A file NAME.gz beside NAME is sent to clients that "
             "accept gzip. Files may be edited at any time; new ones are found at the next start "
             "or reload. Symbolic links and names that begin with a dot are left out."},
};

static const struct route routes[] = {
    {"GET", "/", site_home, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/{page}", site_page, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/favicon.ico", site_favicon, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/static/{path...}", site_static, ROUTE_PAGE, BULKHEAD_NONE},
};

/* NULL, with the reason in the log, when there is no directory that can be read. */
static struct object_store *open_files(const char *path)
{
    struct stat status;
    struct error_record error = {.detail = "it is not a directory"};
    struct object_store *files = NULL;
    /* The store would make it, which is not wanted here. */
    if (stat(path, &status) != 0)
        error_set_internal(&error, HEARTH_NOT_FOUND, 0, "it is not there");
    else if (S_ISDIR(status.st_mode))
        files = directory_store_new(path, &error);
    if (!files)
        LOG_WARN("site_directory_unreadable", LOG_TEXT("directory", path),
                 LOG_TEXT("why", error.detail),
                 LOG_TEXT("hint", "pages and static files answer 404; set site.directory"));
    return files;
}

static enum hearth_error build_map(struct site *site, struct error_record *error)
{
    enum hearth_error failed = static_map_build(site->files, &site->map, error);
    if (failed)
        return failed;
    if (!static_map_find(&site->map, VIEW("/")))
        LOG_WARN("site_home_missing", LOG_TEXT("directory", site->directory),
                 LOG_TEXT("hint", "/ answers 404 until there is a pages/home.html"));
    LOG_DEBUG("site_map_built", LOG_TEXT("directory", site->directory),
              LOG_INTEGER("addresses", (int64_t)site->map.count));
    return HEARTH_OK;
}

static void site_stop(void *state)
{
    struct site *site = state;
    static_map_clean(&site->map);
    if (site->files)
        site->files->free(site->files);
    free(site);
}

static enum hearth_error site_start(const struct services *services, void **state,
                                    struct error_record *error)
{
    struct site *site = calloc(1, sizeof *site);
    if (!site)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to start");
    site->directory = config_string(services->config, "site.directory");
    site->files = open_files(site->directory);
    enum hearth_error failed = site->files ? build_map(site, error) : HEARTH_OK;
    if (failed) {
        site_stop(site);
        return failed;
    }
    *state = site;
    return HEARTH_OK;
}

static bool site_has_address(const struct request *request, void *state)
{
    const struct site *site = state;
    return static_map_find(&site->map, request->path) != NULL;
}

const struct module site_module = {
    .name = "site",
    .rows = {rows, sizeof rows / sizeof rows[0]},
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .start = site_start,
    .stop = site_stop,
    .has_address = site_has_address,
};
