/*
 * fuzz_auth_state.c - any bytes as state/auth.json, and as an Authorization header.
 *
 * Damage never crashes; what is taken keeps the rules that everybody relies on (names that print,
 * zones that stay in their directory), and each of its tokens is found by its hash.
 */
#include "app/http/auth_header.h"
#include "app/http/auth_names.h"
#include "app/http/auth_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_token(const struct auth_state *state, const struct auth_token *token)
{
    const struct auth_identity *identity = &token->identity;
    const struct auth_token *found = auth_state_find(state, token->sha256);
    must(auth_id_valid(view_of(identity->id)));
    must(auth_name_valid(view_of(identity->name)));
    must(auth_zone_valid(view_of(identity->time_zone)));
    must((identity->scopes & ~63u) == 0);
    must(strcmp(temperature_unit_name(identity->unit), "unknown") != 0);
    /* Another token may have the same hash in a state that somebody wrote by hand. */
    must(found && memcmp(found->sha256, token->sha256, AUTH_HASH_BYTES) == 0);
}

static void check_state(struct view text)
{
    struct auth_state *state;
    struct error_record error = {0};
    enum hearth_error outcome = auth_state_parse(text, &state, &error);
    must((outcome == HEARTH_OK) == (state != NULL));
    must(outcome == HEARTH_OK || outcome == HEARTH_CORRUPT);
    must(outcome == HEARTH_OK || error.detail[0] != '\0');
    for (size_t i = 0; state && i < state->count; i++)
        check_token(state, &state->tokens[i]);
    auth_state_free(state);
}

static bool lies_within(const char *outer, size_t size, struct view inner)
{
    return inner.length == 0 || (inner.data >= outer && inner.data + inner.length <= outer + size);
}

static void check_header(struct view header)
{
    char decoded[AUTH_BASIC_MAXIMUM];
    struct view token = auth_header_token(header, decoded);
    must(lies_within(decoded, sizeof decoded, token) ||
         lies_within(header.data, header.length, token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_from((const char *)data, size);
    check_state(text);
    check_header(text);
    return 0;
}
