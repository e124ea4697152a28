/*
 * auth_edit.c - making, revoking and listing tokens.
 *
 * An edit reads the object, changes the JSON (whose other members stay as they are) and puts it
 * back on the condition that it is still the one that was read. When somebody else was faster, the
 * whole is done again on what he left, after a pause that grows and differs from process to
 * process.
 */
#include "app/http/auth_names.h"
#include "app/http/auth_state.h"
#include "hearth/limits.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    EDIT_ATTEMPTS = 20,
    TOKEN_RANDOM_BYTES = 32,
    ID_RANDOM_BYTES = 8,
    PAUSE_STEP_US = 2000,       /* by at least so much the longest pause grows each time */
    PAUSE_MAXIMUM_US = 1000000, /* and no longer than this is it */
};

/* What an edit does to the state. `*changed` = false leaves the object alone. */
struct edit {
    enum hearth_error (*apply)(struct edit *edit, struct json_object *root, bool *changed,
                               struct error_record *error);
    const struct clock *clock;
    const struct auth_token *token; /* to add */
    const char *id_or_name;         /* to revoke */
};

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set(error, HEARTH_NO_MEMORY, "out of memory");
}

static enum hearth_error no_random(struct error_record *error)
{
    return error_set_internal(error, HEARTH_INTERNAL, 0, "no random bytes from the system");
}

/* ---- Read, change, put ---- */

/* The object's JSON, or the beginnings of one when there is none; `tag` is then "". */
static enum hearth_error read_root(struct object_store *objects, struct json_object **root,
                                   char tag[OBJECT_ETAG_SIZE], struct error_record *error)
{
    struct buffer text;
    struct object_info info = {0};
    *root = NULL;
    buffer_init(&text, LIMIT_AUTH_FILE);
    enum hearth_error outcome = object_get_all(objects, AUTH_STATE_KEY, &text, &info, error);
    if (outcome == HEARTH_NOT_FOUND) {
        *root = json_object_new_object();
        struct json_object *version = json_object_new_int(AUTH_STATE_VERSION);
        bool made = *root && version && json_object_object_add(*root, "version", version) == 0;
        outcome = made ? HEARTH_OK : no_memory(error);
    } else if (outcome == HEARTH_OK) {
        outcome = auth_json_parse(buffer_view(&text), root, error);
    }
    memcpy(tag, info.etag, sizeof info.etag);
    buffer_clean(&text);
    return outcome;
}

/* What cannot be understood must not be changed. */
static enum hearth_error understand(struct json_object *root, struct error_record *error)
{
    struct auth_state *state;
    enum hearth_error outcome = auth_state_read(root, &state, error);
    if (outcome == HEARTH_OK)
        auth_state_free(state);
    return outcome;
}

static enum hearth_error write_root(struct object_store *objects, struct json_object *root,
                                    const char *tag, struct error_record *error)
{
    size_t length = 0;
    struct object_put_options options = {.if_absent = tag[0] == '\0', .if_match = view_of(tag)};
    const char *text = json_object_to_json_string_length(
        root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE,
        &length);
    if (!text)
        return no_memory(error);
    if (length > LIMIT_AUTH_FILE)
        return error_set(error, HEARTH_BODY_TOO_LARGE,
                         "there are too many tokens: the state may "
                         "have %u bytes",
                         LIMIT_AUTH_FILE);
    return objects->put(objects, AUTH_STATE_KEY, view_from(text, length), &options, NULL, error);
}

static enum hearth_error attempt(struct object_store *objects, struct edit *edit,
                                 struct error_record *error)
{
    struct json_object *root = NULL;
    char tag[OBJECT_ETAG_SIZE];
    bool changed = false;
    enum hearth_error outcome = read_root(objects, &root, tag, error);
    if (outcome == HEARTH_OK)
        outcome = understand(root, error);
    if (outcome == HEARTH_OK)
        outcome = edit->apply(edit, root, &changed, error);
    if (outcome == HEARTH_OK && changed)
        outcome = write_root(objects, root, tag, error);
    json_object_put(root);
    return outcome;
}

/* As long as several attempts last, so that a slow store gives others time to finish theirs. */
static void pause_after(unsigned attempts, int64_t attempt_ns)
{
    unsigned random = 0;
    int64_t step_us = attempt_ns / 1000;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return;
    if (step_us < PAUSE_STEP_US)
        step_us = PAUSE_STEP_US;
    int64_t longest_us = step_us * attempts;
    if (longest_us > PAUSE_MAXIMUM_US)
        longest_us = PAUSE_MAXIMUM_US;
    int64_t pause_us = random % longest_us;
    struct timespec pause = {.tv_sec = pause_us / 1000000, .tv_nsec = pause_us % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

static enum hearth_error run_edit(struct object_store *objects, struct edit *edit,
                                  struct error_record *error)
{
    for (unsigned attempts = 1; attempts <= EDIT_ATTEMPTS; attempts++) {
        int64_t began_ns = clock_monotonic_ns(edit->clock);
        enum hearth_error outcome = attempt(objects, edit, error);
        if (outcome != HEARTH_PRECONDITION_FAILED)
            return outcome;
        if (attempts < EDIT_ATTEMPTS)
            pause_after(attempts, clock_monotonic_ns(edit->clock) - began_ns);
    }
    return error_set(error, HEARTH_PRECONDITION_FAILED,
                     "others kept changing the tokens; gave up after %d attempts", EDIT_ATTEMPTS);
}

/* ---- Making ---- */

static bool add_text(struct json_object *object, const char *name, const char *text)
{
    struct json_object *value = json_object_new_string(text);
    return value && json_object_object_add(object, name, value) == 0;
}

static bool add_scopes(struct json_object *object, unsigned scopes)
{
    struct json_object *array = json_object_new_array();
    if (!array || json_object_object_add(object, "scopes", array) != 0)
        return false;
    for (unsigned scope = 1; scope <= scopes; scope <<= 1) {
        if (!(scopes & scope))
            continue;
        struct json_object *name = json_object_new_string(auth_scope_name((enum auth_scope)scope));
        if (!name || json_object_array_add(array, name) != 0)
            return false;
    }
    return true;
}

static bool fill_token(struct json_object *object, const struct auth_token *token)
{
    const struct auth_identity *identity = &token->identity;
    char sha256[2 * AUTH_HASH_BYTES + 1], created[CLOCK_RFC3339_SIZE];
    auth_hex_format(token->sha256, AUTH_HASH_BYTES, sha256);
    clock_format_rfc3339(token->created_ms, created);
    return add_text(object, "id", identity->id) && add_text(object, "name", identity->name) &&
           add_text(object, "sha256", sha256) && add_scopes(object, identity->scopes) &&
           add_text(object, "unit", temperature_unit_name(identity->unit)) &&
           add_text(object, "time_zone", identity->time_zone) &&
           add_text(object, "created", created) &&
           json_object_object_add(object, "revoked", NULL) == 0;
}

static enum hearth_error apply_new(struct edit *edit, struct json_object *root, bool *changed,
                                   struct error_record *error)
{
    struct json_object *tokens = NULL;
    if (!json_object_object_get_ex(root, "tokens", &tokens)) {
        tokens = json_object_new_array();
        if (!tokens || json_object_object_add(root, "tokens", tokens) != 0)
            return no_memory(error);
    }
    struct json_object *object = json_object_new_object();
    if (!object || !fill_token(object, edit->token) || json_object_array_add(tokens, object) != 0) {
        json_object_put(object);
        return no_memory(error);
    }
    *changed = true;
    return HEARTH_OK;
}

static void format_token(const unsigned char random[TOKEN_RANDOM_BYTES],
                         char token[AUTH_TOKEN_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = (size_t)snprintf(token, AUTH_TOKEN_SIZE, "hearth_");
    for (size_t bit = 0; bit / 8 < TOKEN_RANDOM_BYTES; bit += 6) {
        unsigned pair = (unsigned)random[bit / 8] << 8;
        if (bit / 8 + 1 < TOKEN_RANDOM_BYTES)
            pair |= random[bit / 8 + 1];
        token[length++] = digits[pair >> (10 - bit % 8) & 63u];
    }
    token[length] = '\0';
}

static enum hearth_error check_options(const struct auth_token_options *options,
                                       struct error_record *error)
{
    const char *zone = options->time_zone ? options->time_zone : "UTC";
    if (!options->name || !auth_name_valid(view_of(options->name)))
        return error_set(error, HEARTH_BAD_REQUEST,
                         "a name has 1 to 64 bytes that print, and no blank at its ends");
    if (auth_id_valid(view_of(options->name)))
        return error_set(error, HEARTH_BAD_REQUEST, "a name must not look like an id");
    if (options->scopes == 0)
        return error_set(error, HEARTH_BAD_REQUEST, "a token needs at least one scope");
    if (!auth_zone_exists(zone))
        return error_set(error, HEARTH_BAD_REQUEST, "\"%.64s\" is not a time zone of this machine",
                         zone);
    return HEARTH_OK;
}

enum hearth_error auth_token_new(struct object_store *objects, const struct clock *clock,
                                 const struct auth_token_options *options,
                                 char token[AUTH_TOKEN_SIZE], char id[17],
                                 struct error_record *error)
{
    unsigned char random[TOKEN_RANDOM_BYTES + ID_RANDOM_BYTES];
    struct auth_token made = {.created_ms = clock_wall_ms(clock)};
    struct auth_identity *identity = &made.identity;
    struct edit edit = {.apply = apply_new, .clock = clock, .token = &made};
    enum hearth_error outcome = check_options(options, error);
    if (outcome != HEARTH_OK)
        return outcome;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return no_random(error);
    format_token(random, token);
    auth_hex_format(random + TOKEN_RANDOM_BYTES, ID_RANDOM_BYTES, id);
    outcome = auth_hash(view_of(token), made.sha256);
    if (outcome != HEARTH_OK)
        return error_set_internal(error, outcome, 0, "SHA-256 failed");
    snprintf(identity->id, sizeof identity->id, "%s", id);
    snprintf(identity->name, sizeof identity->name, "%s", options->name);
    snprintf(identity->time_zone, sizeof identity->time_zone, "%s",
             options->time_zone ? options->time_zone : "UTC");
    identity->scopes = options->scopes;
    identity->unit = options->unit;
    outcome = run_edit(objects, &edit, error);
    explicit_bzero(random, sizeof random);
    if (outcome != HEARTH_OK)
        explicit_bzero(token, AUTH_TOKEN_SIZE);
    return outcome;
}

/* ---- Revoking ---- */

static bool member_equals(struct json_object *object, const char *name, const char *text)
{
    struct json_object *member = NULL;
    return json_object_object_get_ex(object, name, &member) && member &&
           strcmp(json_object_get_string(member), text) == 0;
}

static bool is_revoked(struct json_object *object)
{
    struct json_object *revoked = NULL;
    return json_object_object_get_ex(object, "revoked", &revoked) && revoked;
}

/* The tokens whose member says so: how many, how many of them valid, and the last valid one. */
struct matches {
    size_t count, valid;
    struct json_object *token;
};

static struct matches find_matches(struct json_object *tokens, const char *member, const char *text)
{
    struct matches matches = {0};
    for (size_t i = 0; i < json_object_array_length(tokens); i++) {
        struct json_object *object = json_object_array_get_idx(tokens, i);
        if (!member_equals(object, member, text))
            continue;
        matches.count++;
        if (is_revoked(object))
            continue;
        matches.valid++;
        matches.token = object;
    }
    return matches;
}

static enum hearth_error apply_revoke(struct edit *edit, struct json_object *root, bool *changed,
                                      struct error_record *error)
{
    struct json_object *tokens = NULL;
    struct matches matches = {0};
    char now[CLOCK_RFC3339_SIZE];
    if (json_object_object_get_ex(root, "tokens", &tokens)) {
        matches = find_matches(tokens, "id", edit->id_or_name);
        if (matches.count == 0)
            matches = find_matches(tokens, "name", edit->id_or_name);
    }
    if (matches.count == 0)
        return error_set(error, HEARTH_NOT_FOUND, "no token has the id or name \"%.64s\"",
                         edit->id_or_name);
    if (matches.valid > 1)
        return error_set(error, HEARTH_CONFLICT,
                         "%zu valid tokens have the name \"%.64s\": say which by its id",
                         matches.valid, edit->id_or_name);
    if (matches.valid == 0)
        return HEARTH_OK; /* it was revoked before, and that time stays */
    clock_format_rfc3339(clock_wall_ms(edit->clock), now);
    *changed = true;
    return add_text(matches.token, "revoked", now) ? HEARTH_OK : no_memory(error);
}

enum hearth_error auth_token_revoke(struct object_store *objects, const struct clock *clock,
                                    const char *id_or_name, struct error_record *error)
{
    struct edit edit = {.apply = apply_revoke, .clock = clock, .id_or_name = id_or_name};
    return run_edit(objects, &edit, error);
}

/* ---- Listing ---- */

enum hearth_error auth_token_list(struct object_store *objects, auth_token_visit_fn *visit,
                                  void *context, struct error_record *error)
{
    struct json_object *root = NULL;
    struct auth_state *state = NULL;
    char tag[OBJECT_ETAG_SIZE];
    enum hearth_error outcome = read_root(objects, &root, tag, error);
    if (outcome == HEARTH_OK)
        outcome = auth_state_read(root, &state, error);
    for (size_t i = 0; outcome == HEARTH_OK && i < state->count; i++) {
        const struct auth_token *token = &state->tokens[i];
        struct auth_token_info info = {token->identity, token->created_ms, token->revoked_ms};
        visit(context, &info);
    }
    auth_state_free(state);
    json_object_put(root);
    return outcome;
}
