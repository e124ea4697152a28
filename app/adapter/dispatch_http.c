/*
 * dispatch_http.c - what the http.* rows of the configuration become: limits, the trust list, CORS.
 */
#include "app/adapter/dispatch_http.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHY_SIZE = 256 };

/* A list of the configuration as an array; the items stay the configuration's. */
struct items {
    const char **texts;
    size_t count;
};

static bool items_init(struct items *items, const struct config *config, const char *key)
{
    items->count = config_list_count(config, key);
    items->texts = calloc(items->count + 1, sizeof(const char *));
    for (size_t i = 0; items->texts && i < items->count; i++)
        items->texts[i] = config_list_item(config, key, i);
    return items->texts != NULL;
}

static void items_clean(struct items *items)
{
    free((void *)items->texts);
}

static const char trusted_key[] = "http.trusted_proxies", cors_key[] = "http.cors_origins";

/* NULL and a text in `why` on failure; so too below. */
static struct trust_list *make_trusted(const struct config *config, char why[WHY_SIZE])
{
    struct items items;
    struct trust_list *trusted = NULL;
    snprintf(why, WHY_SIZE, "out of memory");
    if (items_init(&items, config, trusted_key))
        trusted = trust_list_new(items.texts, items.count, why, WHY_SIZE);
    items_clean(&items);
    return trusted;
}

static struct cors *make_cors(const struct config *config, char why[WHY_SIZE])
{
    struct items origins, headers = {NULL, 0};
    struct cors *cors = NULL;
    snprintf(why, WHY_SIZE, "out of memory");
    if (items_init(&origins, config, cors_key) &&
        items_init(&headers, config, "http.cors_headers")) {
        struct cors_options options = {
            .origins = origins.texts,
            .origin_count = origins.count,
            .headers = headers.texts,
            .header_count = headers.count,
            .max_age_s = config_integer(config, "http.cors_max_age_s"),
        };
        cors = cors_new(&options, why, WHY_SIZE);
    }
    items_clean(&origins);
    items_clean(&headers);
    return cors;
}

static size_t size_row(const struct config *config, const char *key)
{
    return (size_t)config_integer(config, key);
}

enum hearth_error http_settings_init(struct http_settings *settings, const struct config *config,
                                     struct error_record *error)
{
    *settings = (struct http_settings){
        .limits = {
            .max_head_bytes = size_row(config, "http.max_head_bytes"),
            .max_headers = size_row(config, "http.max_headers"),
            .max_header_bytes = size_row(config, "http.max_header_bytes"),
            .max_target_bytes = size_row(config, "http.max_target_bytes"),
            .max_query_pairs = size_row(config, "http.max_query_pairs"),
            .max_body_bytes = (uint64_t)config_integer(config, "http.max_body_bytes"),
            .timeout_ms = config_integer(config, "pool.request_timeout_ms"),
        }};
    char why[WHY_SIZE];
    settings->trusted = make_trusted(config, why);
    if (!settings->trusted)
        return error_set(error, HEARTH_BAD_REQUEST, "%s: %s", trusted_key, why);
    settings->limits.trusted = settings->trusted;
    settings->cors = make_cors(config, why);
    if (!settings->cors)
        return error_set(error, HEARTH_BAD_REQUEST, "%s: %s", cors_key, why);
    return HEARTH_OK;
}

void http_settings_clean(struct http_settings *settings)
{
    trust_list_free(settings->trusted);
    cors_free(settings->cors);
    *settings = (struct http_settings){.trusted = NULL};
}

void http_settings_check(const struct config *config, struct config_problems *problems)
{
    char why[WHY_SIZE];
    struct trust_list *trusted = make_trusted(config, why);
    if (!trusted)
        config_problem_add(problems, config_origin(config, trusted_key), trusted_key, "%s", why);
    struct cors *cors = make_cors(config, why);
    if (!cors)
        config_problem_add(problems, config_origin(config, cors_key), cors_key, "%s", why);
    trust_list_free(trusted);
    cors_free(cors);
}
