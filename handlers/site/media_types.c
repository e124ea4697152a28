/*
 * media_types.c - what a file is, by the end of its name.
 *
 * Text says its character set, which is UTF-8. What a browser would run if it were opened by itself
 * (HTML, SVG, XML) carries a policy.
 */
#include "handlers/site/static_map.h"

const char page_policy[] = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; "
                           "media-src 'self'; form-action 'self'; base-uri 'none'; "
                           "frame-ancestors 'none'";

/* An SVG may carry its own style (for dark mode), and nothing else. */
static const char drawing_policy[] = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

static const struct media_type types[] = {
    {".html", "text/html; charset=utf-8", page_policy},
    {".css", "text/css; charset=utf-8", NULL},
    {".js", "text/javascript; charset=utf-8", NULL},
    {".mjs", "text/javascript; charset=utf-8", NULL},
    {".json", "application/json", NULL},
    {".map", "application/json", NULL},
    {".webmanifest", "application/manifest+json", NULL},
    {".txt", "text/plain; charset=utf-8", NULL},
    {".md", "text/markdown; charset=utf-8", NULL},
    {".csv", "text/csv; charset=utf-8", NULL},
    {".ics", "text/calendar; charset=utf-8", NULL},
    {".vtt", "text/vtt; charset=utf-8", NULL},
    {".xml", "application/xml", drawing_policy},
    {".svg", "image/svg+xml", drawing_policy},
    {".png", "image/png", NULL},
    {".jpg", "image/jpeg", NULL},
    {".jpeg", "image/jpeg", NULL},
    {".gif", "image/gif", NULL},
    {".webp", "image/webp", NULL},
    {".avif", "image/avif", NULL},
    {".ico", "image/vnd.microsoft.icon", NULL},
    {".woff2", "font/woff2", NULL},
    {".woff", "font/woff", NULL},
    {".ttf", "font/ttf", NULL},
    {".otf", "font/otf", NULL},
    {".mp3", "audio/mpeg", NULL},
    {".ogg", "audio/ogg", NULL},
    {".opus", "audio/ogg", NULL},
    {".flac", "audio/flac", NULL},
    {".wav", "audio/wav", NULL},
    {".mp4", "video/mp4", NULL},
    {".webm", "video/webm", NULL},
    {".pdf", "application/pdf", NULL},
    {".wasm", "application/wasm", NULL},
    {".zip", "application/zip", NULL},
    {".gz", "application/gzip", NULL},
};

static const struct media_type unknown = {"", "application/octet-stream", NULL};

static bool ends_with_ignore_case(struct view name, struct view suffix)
{
    return name.length > suffix.length &&
           view_equal_ignore_case(view_skip(name, name.length - suffix.length), suffix);
}

const struct media_type *media_type_of(struct view name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (ends_with_ignore_case(name, view_of(types[i].suffix)))
            return &types[i];
    }
    return &unknown;
}
