/*
 * auth_state.c - from the text of state/auth.json to tokens.
 *
 * The whole state is refused when any token in it is malformed: half a list of tokens would lock
 * somebody out without a word, while the caller still has the last good state.
 */
#include "app/http/auth_state.h"

#include "app/core/memory.h"
#include "app/http/auth_names.h"
#include "hearth/limits.h"

#include <json-c/json.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

enum { JSON_DEPTH = 16 };

/* ---- JSON ---- */

enum hearth_error auth_json_parse(struct view text, struct json_object **root,
                                  struct error_record *error)
{
    *root = NULL;
    if (text.length > LIMIT_AUTH_FILE)
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  AUTH_STATE_KEY " is larger than %u bytes", LIMIT_AUTH_FILE);
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    if (!tokener)
        return error_set(error, HEARTH_NO_MEMORY, "no memory to read the tokens");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *parsed = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    enum json_tokener_error outcome = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (outcome == json_tokener_success && json_object_is_type(parsed, json_type_object)) {
        *root = parsed;
        return HEARTH_OK;
    }
    json_object_put(parsed);
    if (outcome == json_tokener_success)
        return error_set_internal(error, HEARTH_CORRUPT, 0, AUTH_STATE_KEY " is not a JSON object");
    if (outcome == json_tokener_continue) /* it wants more */
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  AUTH_STATE_KEY " is empty or cut off: its JSON does not end");
    return error_set_internal(error, HEARTH_CORRUPT, 0, AUTH_STATE_KEY " is not JSON: %s",
                              json_tokener_error_desc(outcome));
}

/* A string member without NUL bytes. NULL data when it is missing, null, or of another type;
 * `*wrong` is set in the last case. */
static struct view text_member(struct json_object *object, const char *name, bool *wrong)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member) || !member)
        return VIEW_NONE;
    const char *text =
        json_object_is_type(member, json_type_string) ? json_object_get_string(member) : NULL;
    struct view view = view_from(text, text ? (size_t)json_object_get_string_len(member) : 0);
    if (text && view_index_of(view, '\0') == SIZE_MAX)
        return view;
    *wrong = true;
    return VIEW_NONE;
}

static void copy_text(char *to, struct view text)
{
    if (text.data)
        memcpy(to, text.data, text.length);
    to[text.length] = '\0';
}

/* ---- One token: each gives back what is wrong, or NULL ---- */

static const char *read_names(struct json_object *object, struct auth_token *token)
{
    bool wrong = false;
    struct view id = text_member(object, "id", &wrong);
    struct view name = text_member(object, "name", &wrong);
    struct view sha256 = text_member(object, "sha256", &wrong);
    if (wrong || !auth_id_valid(id))
        return "id";
    if (!auth_name_valid(name))
        return "name";
    if (!auth_hex_parse(sha256, token->sha256, AUTH_HASH_BYTES))
        return "sha256";
    copy_text(token->identity.id, id);
    copy_text(token->identity.name, name);
    return NULL;
}

static const char *read_scopes(struct json_object *object, struct auth_token *token)
{
    struct json_object *scopes = NULL;
    if (!json_object_object_get_ex(object, "scopes", &scopes) ||
        !json_object_is_type(scopes, json_type_array))
        return "scopes";
    for (size_t i = 0; i < json_object_array_length(scopes); i++) {
        struct json_object *scope = json_object_array_get_idx(scopes, i);
        if (!json_object_is_type(scope, json_type_string))
            return "scopes";
        token->identity.scopes |= auth_scope_of(view_of(json_object_get_string(scope)));
    }
    return NULL;
}

static const char *read_meaning(struct json_object *object, struct auth_token *token)
{
    bool wrong = false;
    struct view unit = text_member(object, "unit", &wrong);
    if (wrong || (unit.data && !temperature_unit_parse(unit, &token->identity.unit)))
        return "unit";
    struct view zone = text_member(object, "time_zone", &wrong);
    if (!zone.data)
        zone = VIEW("UTC");
    if (wrong || !auth_zone_valid(zone))
        return "time_zone";
    copy_text(token->identity.time_zone, zone);
    return NULL;
}

static const char *read_times(struct json_object *object, struct auth_token *token)
{
    bool wrong = false;
    struct view created = text_member(object, "created", &wrong);
    if (wrong || (created.data && !auth_time_parse(created, &token->created_ms)))
        return "created";
    struct view revoked = text_member(object, "revoked", &wrong);
    if (wrong || (revoked.data && !auth_time_parse(revoked, &token->revoked_ms)))
        return "revoked";
    if (revoked.data && token->revoked_ms == 0)
        token->revoked_ms = 1; /* revoked at the epoch is still revoked */
    return NULL;
}

static const char *read_token(struct json_object *object, struct auth_token *token)
{
    if (!json_object_is_type(object, json_type_object))
        return "type";
    const char *bad = read_names(object, token);
    if (!bad)
        bad = read_scopes(object, token);
    if (!bad)
        bad = read_meaning(object, token);
    return bad ? bad : read_times(object, token);
}

/* ---- The state ---- */

static struct auth_state *make_state(size_t count)
{
    size_t size = sizeof(struct auth_state) + count * sizeof(struct auth_token);
    struct auth_state *state = memory_new(size);
    if (state)
        memset(state, 0, size);
    return state;
}

struct auth_state *auth_state_empty(void)
{
    return make_state(0);
}

void auth_state_free(struct auth_state *state)
{
    memory_free(state);
}

static enum hearth_error check_version(struct json_object *root, struct error_record *error)
{
    struct json_object *version = NULL;
    if (!json_object_object_get_ex(root, "version", &version) ||
        !json_object_is_type(version, json_type_int))
        return error_set_internal(error, HEARTH_CORRUPT, 0, AUTH_STATE_KEY ": no version");
    if (json_object_get_int64(version) != AUTH_STATE_VERSION)
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  AUTH_STATE_KEY ": version %lld, this program knows %d",
                                  (long long)json_object_get_int64(version), AUTH_STATE_VERSION);
    return HEARTH_OK;
}

enum hearth_error auth_state_read(struct json_object *root, struct auth_state **state,
                                  struct error_record *error)
{
    struct json_object *tokens = NULL;
    *state = NULL;
    enum hearth_error outcome = check_version(root, error);
    if (outcome != HEARTH_OK)
        return outcome;
    bool some = json_object_object_get_ex(root, "tokens", &tokens);
    if (some && !json_object_is_type(tokens, json_type_array))
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  AUTH_STATE_KEY ": tokens is not an array");
    size_t count = some ? json_object_array_length(tokens) : 0;
    struct auth_state *made = make_state(count);
    if (!made)
        return error_set(error, HEARTH_NO_MEMORY, "no memory for the tokens");
    for (; made->count < count; made->count++) {
        const char *bad =
            read_token(json_object_array_get_idx(tokens, made->count), &made->tokens[made->count]);
        if (!bad)
            continue;
        outcome = error_set_internal(error, HEARTH_CORRUPT, 0, AUTH_STATE_KEY ": token %zu: bad %s",
                                     made->count + 1, bad);
        auth_state_free(made);
        return outcome;
    }
    *state = made;
    return HEARTH_OK;
}

enum hearth_error auth_state_parse(struct view text, struct auth_state **state,
                                   struct error_record *error)
{
    struct json_object *root = NULL;
    *state = NULL;
    enum hearth_error outcome = auth_json_parse(text, &root, error);
    if (outcome == HEARTH_OK)
        outcome = auth_state_read(root, state, error);
    json_object_put(root);
    return outcome;
}

/* ---- Hashes ---- */

/* Fetched once for the life of the process: EVP_sha256() looks it up again with each hash, which
 * takes three times as long as the hash, and a lock. */
static EVP_MD *algorithm;
static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;

static void fetch_algorithm(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

enum hearth_error auth_hash(struct view token, unsigned char sha256[AUTH_HASH_BYTES])
{
    unsigned length = 0;
    const char *data = token.data ? token.data : "";
    if (pthread_once(&algorithm_once, fetch_algorithm) != 0 || !algorithm)
        return HEARTH_INTERNAL;
    if (EVP_Digest(data, token.length, sha256, &length, algorithm, NULL) != 1)
        return HEARTH_INTERNAL;
    return length == AUTH_HASH_BYTES ? HEARTH_OK : HEARTH_INTERNAL;
}

const struct auth_token *auth_state_find(const struct auth_state *state,
                                         const unsigned char sha256[AUTH_HASH_BYTES])
{
    struct view wanted = view_from((const char *)sha256, AUTH_HASH_BYTES);
    size_t found = 0; /* one more than the index, so that 0 is none */
    for (size_t i = 0; i < state->count; i++) {
        struct view known = view_from((const char *)state->tokens[i].sha256, AUTH_HASH_BYTES);
        size_t mask = (size_t)0 - (size_t)view_equal_constant_time(wanted, known);
        found = (found & ~mask) | ((i + 1) & mask);
    }
    return found > 0 ? &state->tokens[found - 1] : NULL;
}
