/*
 * auth.h - who may do what: tokens and their scopes.
 *
 * The state is one object, `state/auth.json`, in the object store (format at the head of
 * app/http/auth.c). A token is shown once, when it is made; what is stored is its SHA-256. Tokens
 * are compared in constant time, all of them, so that the time tells nothing about any.
 *
 * A struct auth may be used from any thread; it rereads the object when it has changed, at most
 * once per `auth.reload_interval_ms`.
 */
#ifndef HEARTH_AUTH_H
#define HEARTH_AUTH_H

#include "hearth/object_store.h"
#include "hearth/request.h"

enum auth_scope {
    SCOPE_DATA_READ = 1 << 0,   /* data:read */
    SCOPE_DATA_WRITE = 1 << 1,  /* data:write */
    SCOPE_POSTS_WRITE = 1 << 2, /* posts:write */
    SCOPE_MEDIA_WRITE = 1 << 3, /* media:write */
    SCOPE_OPS_READ = 1 << 4,    /* ops:read */
    SCOPE_OPS_WRITE = 1 << 5,   /* ops:write */
};
/* "data:read" and so on; NULL for no single scope. */
const char *auth_scope_name(enum auth_scope scope);
/* Comma-separated names to bits; 0 when one is unknown or none is given. */
unsigned auth_scopes_parse(struct view names);

/* What a bare `temperature` of this token's sender means. */
enum temperature_unit { UNIT_TENTHS_F, UNIT_TENTHS_C, UNIT_F, UNIT_C };
const char *temperature_unit_name(enum temperature_unit unit); /* tenths_f tenths_c f c */
bool temperature_unit_parse(struct view name, enum temperature_unit *unit);

struct auth_identity {
    char id[17];   /* 16 hex digits, names the token in lists and logs */
    char name[65]; /* what its owner called it */
    unsigned scopes;
    enum temperature_unit unit;
    char time_zone[65]; /* IANA name, for times without an offset; "UTC" by default */
};

struct auth;

/* `objects` and `clock` must outlive it. NULL when memory ran out. A missing object means no
 * tokens. */
struct auth *auth_new(struct object_store *objects, const struct clock *clock,
                      int64_t reload_interval_ms);
void auth_free(struct auth *auth);
/* For readiness_add: false while no state could be read yet, so that no token can be checked. Looks
 * again when the interval has passed. */
bool auth_is_ready(void *auth, char *why, size_t why_size);

/* Whose token is it? `Authorization: Bearer T`, `Token T`, `Basic` (the password is the token), or
 * the bare token; query parameters are not looked at here. Errors: UNAUTHORIZED (none, unknown, or
 * revoked), FORBIDDEN (`identity` is filled, a scope is missing), UNAVAILABLE (state never
 * readable, or an unknown token's, and a look that might find it takes more than five seconds). */
HEARTH_MUST_CHECK enum hearth_error auth_require(struct auth *auth, const struct request *request,
                                                 unsigned scopes, struct auth_identity *identity);
/* The same for a token in hand. */
HEARTH_MUST_CHECK enum hearth_error auth_check(struct auth *auth, struct view token,
                                               unsigned scopes, struct auth_identity *identity);

/* ---- Editing, for `hearth token`: read, change, conditional put, again when another was faster
 * ---- */

struct auth_token_options {
    const char *name; /* Required: 1..64 printable bytes. */
    unsigned scopes;  /* Required. */
    enum temperature_unit unit;
    const char *time_zone; /* NULL = UTC */
};

enum { AUTH_TOKEN_SIZE = 64 };

/* Makes a token and stores its hash. The token itself is written to `token`. Errors: BAD_REQUEST,
 * those of the object store, CORRUPT (the state cannot be read; it is left alone). */
HEARTH_MUST_CHECK enum hearth_error auth_token_new(struct object_store *objects,
                                                   const struct clock *clock,
                                                   const struct auth_token_options *options,
                                                   char token[AUTH_TOKEN_SIZE], char id[17],
                                                   struct error_record *error);
/* By id or by name (must be unique). Errors: NOT_FOUND, CONFLICT (several of that name), and as
 * above. */
HEARTH_MUST_CHECK enum hearth_error auth_token_revoke(struct object_store *objects,
                                                      const struct clock *clock,
                                                      const char *id_or_name,
                                                      struct error_record *error);

struct auth_token_info {
    struct auth_identity identity;
    int64_t created_ms;
    int64_t revoked_ms; /* 0 = valid */
};
typedef void auth_token_visit_fn(void *context, const struct auth_token_info *token);
HEARTH_MUST_CHECK enum hearth_error auth_token_list(struct object_store *objects,
                                                    auth_token_visit_fn *visit, void *context,
                                                    struct error_record *error);

#endif
