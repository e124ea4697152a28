/*
 * object_store.c - what any object store can do by means of its table.
 */
#include "hearth/object_store.h"

static enum hearth_error append_to_buffer(void *context, struct view bytes)
{
    return buffer_append(context, bytes);
}

enum hearth_error object_get_all(struct object_store *store, const char *key, struct buffer *out,
                                 struct object_info *info, struct error_record *error)
{
    struct object_get_options whole = {.length = 0};
    return store->get(store, key, &whole, append_to_buffer, out, info, NULL, error);
}
