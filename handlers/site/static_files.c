/*
 * static_files.c - answers with files of the site's directory.
 *
 * The map says which file; the object store over the directory reads it, and is asked for exactly
 * the version whose tag is in the head. So a file that was edited since the start is served as it
 * is now, under its own tag; one that is replaced between the two looks is asked for again; one
 * that changes while it goes out breaks the answer off. No content ever has the tag of another.
 *
 * Where "NAME.gz" stands beside "NAME" and is not older, a client that accepts gzip gets it, as a
 * representation with its own tag.
 */
#include "handlers/site/site.h"

enum { SEND_ATTEMPTS = 5 }; /* against a file that is being replaced again and again */

/* What is sent: one of the entry's two files, as it is now. */
struct sending {
    const struct site *site;
    const struct request *request;
    struct response *response;
    const struct static_entry *entry;
    const char *key;
    struct object_info info;
    struct error_record error; /* of the store; the request's record keeps what failed for good */
    bool changed;              /* meanwhile: begin again */
};

static enum hearth_error fail(const struct sending *sending, enum hearth_error code)
{
    return request_fail_internal(sending->request, code, sending->error.number, "%s: %s",
                                 sending->key, sending->error.detail);
}

/* ---- Which file ---- */

/* The compressed form, if it is there and not left over from an older version. */
static bool choose_compressed(struct sending *sending)
{
    struct object_store *files = sending->site->files;
    struct object_info compressed;
    if (!sending->entry->gzip_key || !site_accepts_gzip(sending->request) ||
        files->head(files, sending->entry->gzip_key, &compressed, NULL) != HEARTH_OK ||
        compressed.modified_ms < sending->info.modified_ms)
        return false;
    sending->key = sending->entry->gzip_key;
    sending->info = compressed;
    return true;
}

static enum hearth_error choose_file(struct sending *sending, bool *compressed)
{
    struct object_store *files = sending->site->files;
    sending->key = sending->entry->key;
    enum hearth_error failed = files->head(files, sending->key, &sending->info, &sending->error);
    if (failed)
        return fail(sending, failed);
    *compressed = choose_compressed(sending);
    return HEARTH_OK;
}

/* ---- The head ---- */

static const char *cache_control(const struct sending *sending)
{
    if (sending->entry->kind == STATIC_PAGE)
        return "no-cache";
    /* An address with a version in it ("style.css?v=3") never means another content. */
    if (request_query(sending->request, "v").length > 0)
        return "public, max-age=31536000, immutable";
    /* Modules name each other without a version, and must be of one age. */
    return view_ends_with(sending->entry->path, VIEW(".js")) ? "no-cache" : "public, max-age=3600";
}

static enum hearth_error set(struct response *response, const char *name, const char *value)
{
    return value ? response_set_header(response, view_of(name), view_of(value)) : HEARTH_OK;
}

/* What a 304 carries as well. */
static enum hearth_error set_common_headers(const struct sending *sending)
{
    struct response *response = sending->response;
    const struct static_entry *entry = sending->entry;
    const struct {
        const char *name, *value;
    } headers[] = {
        {"Cache-Control", cache_control(sending)},
        {"Vary", entry->gzip_key ? "Accept-Encoding" : NULL},
        {"Content-Security-Policy", entry->type->policy},
        {"Referrer-Policy", entry->type->policy ? "same-origin" : NULL},
    };
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; !result && i < sizeof headers / sizeof headers[0]; i++)
        result = set(response, headers[i].name, headers[i].value);
    return result;
}

static enum hearth_error set_content_headers(const struct sending *sending, bool compressed,
                                             uint64_t length)
{
    struct response *response = sending->response;
    enum hearth_error result = set(response, "Content-Type", sending->entry->type->name);
    if (!result)
        result = set(response, "Content-Encoding", compressed ? "gzip" : NULL);
    return result ? result : response_set_length(response, length);
}

/* ---- The content ---- */

static enum hearth_error pass_on(void *response, struct view bytes)
{
    return response_write(response, bytes);
}

static enum hearth_error send_content(struct sending *sending, const struct byte_range *range)
{
    struct object_store *files = sending->site->files;
    struct object_get_options options = {
        .if_match = view_of(sending->info.etag), .offset = range->first, .length = range->length};
    if (sending->request->method == METHOD_HEAD)
        return response_finish(sending->response);
    enum hearth_error result = files->get(files, sending->key, &options, pass_on, sending->response,
                                          NULL, NULL, &sending->error);
    if (result == HEARTH_OK)
        return response_finish(sending->response);
    bool replaced = result == HEARTH_PRECONDITION_FAILED || result == HEARTH_NOT_FOUND;
    sending->changed = replaced && !sending->response->head_sent;
    return sending->changed ? response_restart(sending->response) : fail(sending, result);
}

static enum hearth_error send_once(struct sending *sending)
{
    bool compressed = false;
    enum condition_outcome outcome;
    struct byte_range range;
    enum hearth_error result = choose_file(sending, &compressed);
    if (!result)
        result = set_common_headers(sending);
    if (result)
        return result;
    struct representation representation = {.etag = view_of(sending->info.etag),
                                            .last_modified_ms = sending->info.modified_ms,
                                            .size_bytes = (int64_t)sending->info.size_bytes};
    result =
        response_negotiate(sending->response, sending->request, &representation, &outcome, &range);
    if (result || (outcome != CONDITION_SEND && outcome != CONDITION_SEND_RANGE))
        return result;
    result = set_content_headers(sending, compressed, range.length);
    return result ? result : send_content(sending, &range);
}

enum hearth_error site_send(const struct site *site, const struct request *request,
                            struct response *response, const struct static_entry *entry)
{
    struct sending sending = {
        .site = site, .request = request, .response = response, .entry = entry};
    if (!entry)
        return request_fail_internal(request, HEARTH_NOT_FOUND, 0,
                                     "no file for this address when the program was started");
    for (int attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
        sending.changed = false;
        enum hearth_error result = send_once(&sending);
        if (result || !sending.changed)
            return result;
    }
    return request_fail_internal(request, HEARTH_UNAVAILABLE, 0,
                                 "%s is being replaced again and again", entry->key);
}

/* ---- Handlers ---- */

enum hearth_error site_static(const struct request *request, struct response *response, void *state)
{
    const struct site *site = state;
    return site_send(site, request, response, static_map_find(&site->map, request->path));
}

/* Browsers ask for this one unasked; a site whose icon is a drawing gives that. */
enum hearth_error site_favicon(const struct request *request, struct response *response,
                               void *state)
{
    const struct site *site = state;
    const struct static_entry *icon = static_map_find(&site->map, VIEW("/static/favicon.ico"));
    if (!icon)
        icon = static_map_find(&site->map, VIEW("/static/favicon.svg"));
    return site_send(site, request, response, icon);
}
