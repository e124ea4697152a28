/*
 * auth_state.h - the auth state as tokens to compare with. The format stands at the head of
 * app/http/auth.c.
 */
#ifndef HEARTH_AUTH_STATE_H
#define HEARTH_AUTH_STATE_H

#include "hearth/auth.h"

#define AUTH_STATE_KEY "state/auth.json"

enum { AUTH_STATE_VERSION = 1, AUTH_HASH_BYTES = 32 };

struct auth_token {
    struct auth_identity identity;
    unsigned char sha256[AUTH_HASH_BYTES];
    int64_t created_ms; /* 0 = not said */
    int64_t revoked_ms; /* 0 = valid */
};

struct auth_state {
    int references; /* see auth.c */
    size_t count;
    struct auth_token tokens[];
};

/* Text to JSON, nothing behind it. The caller gives `*root` back with json_object_put. Errors:
 * CORRUPT. */
struct json_object;
HEARTH_MUST_CHECK enum hearth_error auth_json_parse(struct view text, struct json_object **root,
                                                    struct error_record *error);
/* The tokens in it, in order. Unknown members and scopes are ignored: a later version may have
 * written them. The caller frees the state. Errors: CORRUPT, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
auth_state_read(struct json_object *root, struct auth_state **state, struct error_record *error);
/* Both in one. */
HEARTH_MUST_CHECK enum hearth_error auth_state_parse(struct view text, struct auth_state **state,
                                                     struct error_record *error);
/* No tokens. NULL when memory ran out. */
struct auth_state *auth_state_empty(void);
void auth_state_free(struct auth_state *state); /* NULL is allowed */

/* Errors: INTERNAL. */
HEARTH_MUST_CHECK enum hearth_error auth_hash(struct view token,
                                              unsigned char sha256[AUTH_HASH_BYTES]);
/* The token that has this hash, or NULL; looks at all of them, whatever it finds. */
const struct auth_token *auth_state_find(const struct auth_state *state,
                                         const unsigned char sha256[AUTH_HASH_BYTES]);

#endif
