/*
 * token_text.h - tokens as a table for people, and as JSON.
 */
#ifndef HEARTH_CLI_TOKEN_TEXT_H
#define HEARTH_CLI_TOKEN_TEXT_H

#include "hearth/auth.h"

struct token_list {
    struct auth_token_info *items;
    size_t count;
    bool out_of_memory;
};

/* An auth_token_visit_fn over a struct token_list. */
void token_list_add(void *list, const struct auth_token_info *token);
void token_list_clean(struct token_list *list);

/* Columns: id, name, scopes, unit, zone, created, revoked. */
void token_list_table(const struct token_list *list, struct buffer *out);
/* {"tokens":[...]} */
void token_list_json(const struct token_list *list, struct buffer *out);
/* "id":...,"name":...,"scopes":[...],"unit":...,"time_zone":... without braces. */
void token_identity_json(const struct auth_identity *identity, struct buffer *out);

#endif
