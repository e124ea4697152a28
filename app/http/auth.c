/*
 * auth.c - whose token is it, and may it do this?
 *
 * The state is the object `state/auth.json`, at most LIMIT_AUTH_FILE bytes of JSON:
 *
 *     {
 *       "version": 1,
 *       "tokens": [
 *         {
 *           "id": "93c1f0a27be4d518",        16 lower-case hex digits
 *           "name": "garden station",        1 to 64 bytes of UTF-8 that print
 *           "sha256": "5e88...",             64 lower-case hex digits: SHA-256 of the token's text
 *           "scopes": ["data:write"],        see enum auth_scope
 *           "unit": "tenths_f",              see enum temperature_unit; missing = tenths_f
 *           "time_zone": "America/Denver",   IANA name; missing = UTC
 *           "created": "2026-11-22T17:04:51.123Z",
 *           "revoked": null                  or the time; missing = null
 *         }
 *       ]
 *     }
 *
 * Members that are not named here, at any level, belong to somebody else (or to a later version):
 * they are ignored, and kept when the state is edited. So are unknown scopes. A file whose version
 * is another number is not understood. A missing object, or one without "tokens", has no tokens.
 *
 * A token's text is "hearth_" and 43 characters of base64url: 32 bytes from the system's random
 * source, so that one round of SHA-256 is all the protection a stolen state needs.
 *
 * What was read is a snapshot that never changes, counted by those who use it. When the reload
 * interval has passed, one thread asks the store for the object's tag and, if that is new, reads
 * it; no lock is held meanwhile, and all others go on with the snapshot they have. Only who brings
 * a token that it does not know waits for the look to end, since that may find it, and 401 is final
 * for a sensor. A state that cannot be read, or understood, leaves the last good snapshot in force
 * and is logged once.
 */
#include "hearth/auth.h"

#include "app/core/memory.h"
#include "app/http/auth_header.h"
#include "app/http/auth_names.h"
#include "app/http/auth_state.h"
#include "hearth/limits.h"
#include "hearth/telemetry.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_WAIT_S = 5 };

struct auth {
    struct object_store *objects;
    const struct clock *clock;
    int64_t interval_ns;

    pthread_cond_t looked;      /* `looking` has become false */
    pthread_mutex_t lock;       /* guards the five below, and every state's `references` */
    struct auth_state *current; /* NULL until a state could be read */
    int64_t next_look_ns;
    bool looking;             /* one thread is in look() */
    struct error_record last; /* what the last look met with */

    /* Only the thread that is looking touches these. */
    char tag[OBJECT_ETAG_SIZE];   /* of the object last read, good or bad; "" = there was none */
    enum hearth_error last_error; /* of the last look, so that it is logged once */
};

/* ---- Snapshots ---- */

static struct auth_state *take_snapshot(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    struct auth_state *state = auth->current;
    if (state)
        state->references++;
    pthread_mutex_unlock(&auth->lock);
    return state;
}

static void give_back(struct auth *auth, struct auth_state *state)
{
    pthread_mutex_lock(&auth->lock);
    bool last = --state->references == 0;
    pthread_mutex_unlock(&auth->lock);
    if (last)
        auth_state_free(state);
}

static void install(struct auth *auth, struct auth_state *state)
{
    state->references = 1; /* that of `current` */
    pthread_mutex_lock(&auth->lock);
    struct auth_state *old = auth->current;
    auth->current = state;
    pthread_mutex_unlock(&auth->lock);
    if (old)
        give_back(auth, old);
}

/* ---- Looking at the object ---- */

static void log_failure(struct auth *auth, enum hearth_error outcome,
                        const struct error_record *error)
{
    if (outcome == auth->last_error)
        return;
    LOG_ERROR("auth_state_not_read", LOG_TEXT("reason", error_name(outcome)),
              LOG_TEXT("detail", error->detail), LOG_INTEGER("errno", error->number),
              LOG_BOOLEAN("last_good_kept", auth->current != NULL));
}

static void log_loaded(const struct auth_state *state)
{
    LOG_INFO("auth_state_read", LOG_INTEGER("tokens", (int64_t)state->count));
}

/* The object is not there: there are no tokens. */
static enum hearth_error look_at_none(struct auth *auth)
{
    if (auth->tag[0] == '\0' && auth->current)
        return HEARTH_OK;
    struct auth_state *state = auth_state_empty();
    if (!state)
        return HEARTH_NO_MEMORY;
    auth->tag[0] = '\0';
    install(auth, state);
    log_loaded(state);
    return HEARTH_OK;
}

static enum hearth_error read_object(struct auth *auth, struct error_record *error)
{
    struct buffer text;
    struct object_info info = {0};
    struct auth_state *state = NULL;
    buffer_init(&text, LIMIT_AUTH_FILE);
    enum hearth_error outcome = object_get_all(auth->objects, AUTH_STATE_KEY, &text, &info, error);
    if (outcome == HEARTH_BODY_TOO_LARGE)
        outcome = error_set_internal(error, HEARTH_CORRUPT, 0,
                                     AUTH_STATE_KEY " is larger than %u bytes", LIMIT_AUTH_FILE);
    else if (outcome == HEARTH_OK)
        outcome = auth_state_parse(buffer_view(&text), &state, error);
    buffer_clean(&text);
    if (outcome == HEARTH_NOT_FOUND)
        return look_at_none(auth);
    if (outcome == HEARTH_OK || outcome == HEARTH_CORRUPT)
        memcpy(auth->tag, info.etag, sizeof auth->tag);
    if (state) {
        install(auth, state);
        log_loaded(state);
    }
    return outcome;
}

static void remember(struct auth *auth, enum hearth_error outcome, const struct error_record *error)
{
    pthread_mutex_lock(&auth->lock);
    auth->last = *error;
    auth->last.code = outcome;
    pthread_mutex_unlock(&auth->lock);
}

/* Called by one thread at a time, without the lock. */
static void look(struct auth *auth)
{
    struct error_record error = {0};
    struct object_info info = {0};
    enum hearth_error outcome = auth->objects->head(auth->objects, AUTH_STATE_KEY, &info, &error);
    if (outcome == HEARTH_NOT_FOUND)
        outcome = look_at_none(auth);
    else if (outcome == HEARTH_OK && strcmp(info.etag, auth->tag) != 0) {
        auth->last_error = HEARTH_OK; /* a new object is a new chance, and a new line if not */
        outcome = read_object(auth, &error);
    } else if (outcome == HEARTH_OK && auth->last_error == HEARTH_CORRUPT) {
        return; /* the same bad object */
    }
    if (outcome != HEARTH_OK)
        log_failure(auth, outcome, &error);
    auth->last_error = outcome;
    remember(auth, outcome, &error);
}

/* Looks when the interval has passed and nobody else does. */
static void look_when_due(struct auth *auth)
{
    int64_t now_ns = clock_monotonic_ns(auth->clock);
    pthread_mutex_lock(&auth->lock);
    bool due = !auth->looking && now_ns >= auth->next_look_ns;
    if (due)
        auth->looking = true;
    pthread_mutex_unlock(&auth->lock);
    if (!due)
        return;
    look(auth);
    pthread_mutex_lock(&auth->lock);
    auth->looking = false;
    auth->next_look_ns = now_ns + auth->interval_ns;
    pthread_cond_broadcast(&auth->looked);
    pthread_mutex_unlock(&auth->lock);
}

/* False when a look that is under way does not end in time. */
static bool wait_for_look(struct auth *auth)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += LOOK_WAIT_S;
    pthread_mutex_lock(&auth->lock);
    int failed = 0;
    while (auth->looking && !failed)
        failed = pthread_cond_timedwait(&auth->looked, &auth->lock, &end);
    bool over = !auth->looking;
    pthread_mutex_unlock(&auth->lock);
    return over;
}

/* ---- Life ---- */

struct auth *auth_new(struct object_store *objects, const struct clock *clock,
                      int64_t reload_interval_ms)
{
    struct auth *auth = memory_new(sizeof *auth);
    if (!auth)
        return NULL;
    memset(auth, 0, sizeof *auth);
    auth->objects = objects;
    auth->clock = clock;
    auth->interval_ns = reload_interval_ms * 1000000;
    auth->next_look_ns = INT64_MIN;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&auth->looked, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&auth->lock, NULL);
    look_when_due(auth);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    auth_state_free(auth->current);
    pthread_mutex_destroy(&auth->lock);
    pthread_cond_destroy(&auth->looked);
    memory_free(auth);
}

/* ---- Readiness ---- */

/* Whoever asks /readyz may read this: no path of ours stands in it. */
static void say_why(const struct error_record *last, char *why, size_t why_size)
{
    if (last->code == HEARTH_CORRUPT)
        snprintf(why, why_size, "no token can be checked: %s", last->detail);
    else
        snprintf(why, why_size, "no token can be checked: %s cannot be read%s%s", AUTH_STATE_KEY,
                 last->number ? ": " : "", last->number ? strerror(last->number) : "");
}

bool auth_is_ready(void *auth_as_context, char *why, size_t why_size)
{
    struct auth *auth = auth_as_context;
    look_when_due(auth); /* it may be mended, and nobody else be asking */
    pthread_mutex_lock(&auth->lock);
    bool ready = auth->current != NULL;
    struct error_record last = auth->last;
    pthread_mutex_unlock(&auth->lock);
    if (!ready)
        say_why(&last, why, why_size);
    return ready;
}

/* ---- Checking ---- */

/* By the snapshot in force. `*known`: it has the token. */
static enum hearth_error judge(struct auth *auth, const unsigned char *sha256, unsigned scopes,
                               struct auth_identity *identity, bool *known)
{
    *known = false;
    struct auth_state *state = take_snapshot(auth);
    if (!state)
        return HEARTH_UNAVAILABLE;
    const struct auth_token *found = auth_state_find(state, sha256);
    enum hearth_error outcome = HEARTH_UNAUTHORIZED;
    if (found && found->revoked_ms == 0) {
        *identity = found->identity;
        outcome = (identity->scopes & scopes) == scopes ? HEARTH_OK : HEARTH_FORBIDDEN;
    }
    *known = found != NULL;
    give_back(auth, state);
    return outcome;
}

enum hearth_error auth_check(struct auth *auth, struct view token, unsigned scopes,
                             struct auth_identity *identity)
{
    unsigned char sha256[AUTH_HASH_BYTES];
    bool known;
    memset(identity, 0, sizeof *identity);
    if (token.length == 0)
        return HEARTH_UNAUTHORIZED;
    enum hearth_error outcome = auth_hash(token, sha256);
    if (outcome != HEARTH_OK)
        return outcome;
    look_when_due(auth);
    outcome = judge(auth, sha256, scopes, identity, &known);
    if (known)
        return outcome;
    return wait_for_look(auth) ? judge(auth, sha256, scopes, identity, &known) : HEARTH_UNAVAILABLE;
}

static enum hearth_error explain(const struct request *request, enum hearth_error outcome,
                                 unsigned missing)
{
    char names[96];
    switch (outcome) {
    case HEARTH_OK:
        return HEARTH_OK;
    case HEARTH_UNAUTHORIZED:
        return request_fail(request, outcome, "the token is not known, or was revoked");
    case HEARTH_FORBIDDEN:
        auth_scopes_format(missing, names, sizeof names);
        return request_fail(request, outcome, "the token lacks the scope %s", names);
    case HEARTH_UNAVAILABLE:
        return request_fail(request, outcome, "tokens cannot be checked at the moment");
    default:
        return request_fail_internal(request, outcome, 0, "the token could not be checked");
    }
}

enum hearth_error auth_require(struct auth *auth, const struct request *request, unsigned scopes,
                               struct auth_identity *identity)
{
    char decoded[AUTH_BASIC_MAXIMUM];
    memset(identity, 0, sizeof *identity);
    size_t count = request_header_count(request, "authorization");
    if (count > 1)
        return request_fail(request, HEARTH_UNAUTHORIZED, "there are %zu Authorization headers",
                            count);
    struct view token = auth_header_token(request_header(request, "authorization"), decoded);
    if (token.length == 0)
        return request_fail(request, HEARTH_UNAUTHORIZED,
                            "a token is needed: Authorization: Bearer TOKEN");
    enum hearth_error outcome = auth_check(auth, token, scopes, identity);
    explicit_bzero(decoded, sizeof decoded);
    return explain(request, outcome, scopes & ~identity->scopes);
}
