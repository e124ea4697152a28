/*
 * router.c - method and path to a route.
 *
 * A trie: a node stands for the segments that lead to it and has literal children, at most one
 * child for a parameter, the rows that end here, and the rows whose tail begins here. A look-up
 * walks down with a list of the nodes it came through and what was tried at each; where it cannot
 * go on it goes back to the last node with something left to try. The list is as long as a pattern
 * can be, so neither a long path nor a strange one costs more.
 *
 * What a method finds at a node, and the Allow header, are worked out when routes are added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/http/router.h"
#include "app/http/router_pattern.h"
#include "hearth/limits.h"

/* A row of a route table, with the names of its parameters in the order of the path. */
struct row {
    struct router_target target;
    struct view parameter_names[LIMIT_ROUTE_PARAMETERS];
    size_t parameter_count;
    struct row *next; /* of the same pattern */
};

/* The rows of one pattern. */
struct row_set {
    struct row *rows;
    char allow[ROUTER_ALLOW_SIZE];
};

struct node {
    struct view text; /* of a literal; points into a route's pattern */
    struct node *literals, *next_literal;
    struct node *parameter;
    struct row_set here, tail;
    struct node *next_made; /* all nodes of the router, to free them */
};

struct router {
    struct node *root;
    struct node *made;
    struct row **rows; /* by index */
    size_t row_count;
};

/* ---- Building ---- */

static struct node *make_node(struct router *router, struct view text)
{
    struct node *node = calloc(1, sizeof *node);
    if (node) {
        node->text = text;
        node->next_made = router->made;
        router->made = node;
    }
    return node;
}

struct router *router_new(void)
{
    struct router *router = calloc(1, sizeof *router);
    if (router)
        router->root = make_node(router, VIEW_NONE);
    if (router && !router->root) {
        free(router);
        router = NULL;
    }
    return router;
}

void router_free(struct router *router)
{
    if (!router)
        return;
    for (size_t i = 0; i < router->row_count; i++)
        free(router->rows[i]);
    while (router->made) {
        struct node *node = router->made;
        router->made = node->next_made;
        free(node);
    }
    free(router->rows);
    free(router);
}

static struct node *find_literal(const struct node *node, struct view text)
{
    struct node *child = node->literals;
    while (child && !view_equal(child->text, text))
        child = child->next_literal;
    return child;
}

/* The child for a segment, made when it is missing; NULL without memory. */
static struct node *child_for(struct router *router, struct node *node,
                              const struct pattern_segment *segment)
{
    if (segment->kind == SEGMENT_PARAMETER) {
        if (!node->parameter)
            node->parameter = make_node(router, VIEW_NONE);
        return node->parameter;
    }
    struct node *child = find_literal(node, segment->text);
    if (!child && (child = make_node(router, segment->text)) != NULL) {
        child->next_literal = node->literals;
        node->literals = child;
    }
    return child;
}

static struct row_set *set_for(struct router *router, const struct pattern *pattern)
{
    struct node *node = router->root;
    for (size_t i = 0; i < pattern->count && node; i++) {
        if (pattern->segments[i].kind == SEGMENT_TAIL)
            return &node->tail;
        node = child_for(router, node, &pattern->segments[i]);
    }
    return node ? &node->here : NULL;
}

static struct row *find_row(const struct row_set *set, struct view method)
{
    struct row *row = set->rows;
    while (row && !view_equal(view_of(row->target.route->method), method))
        row = row->next;
    return row;
}

enum { MAX_METHODS = 32 };

static size_t add_name(const char *names[MAX_METHODS], size_t count, const char *name)
{
    size_t at = count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return count;
    if (count == MAX_METHODS)
        return count;
    for (; at > 0 && strcmp(names[at - 1], name) > 0; at--)
        names[at] = names[at - 1];
    names[at] = name;
    return count + 1;
}

/* Writes the sorted methods of a pattern; false when they do not fit. */
static bool compose_allow(const struct row_set *set, const struct row *added,
                          char allow[ROUTER_ALLOW_SIZE])
{
    const char *names[MAX_METHODS];
    size_t count = add_name(names, 0, "OPTIONS"), length = 0;
    for (const struct row *row = added; row; row = row == added ? set->rows : row->next) {
        const char *method = row->target.route->method;
        if (strcmp(method, "*") != 0)
            count = add_name(names, count, method);
        if (strcmp(method, "GET") == 0)
            count = add_name(names, count, "HEAD");
    }
    for (size_t i = 0; i < count; i++) {
        int written =
            snprintf(allow + length, ROUTER_ALLOW_SIZE - length, "%s%s", i ? ", " : "", names[i]);
        if (written < 0 || (size_t)written >= ROUTER_ALLOW_SIZE - length)
            return false;
        length += (size_t)written;
    }
    return count < MAX_METHODS;
}

static struct row *make_row(const struct route *route, const char *module, void *state,
                            const struct pattern *pattern)
{
    struct row *row = calloc(1, sizeof *row);
    if (!row)
        return NULL;
    row->target = (struct router_target){.route = route, .state = state, .module = module};
    for (size_t i = 0; i < pattern->count; i++)
        if (pattern->segments[i].kind != SEGMENT_LITERAL)
            row->parameter_names[row->parameter_count++] = pattern->segments[i].text;
    return row;
}

/* Room for one more row, its Allow header worked out; nothing of it counts yet. */
static enum hearth_error prepare_row(struct router *router, const struct row_set *set,
                                     const struct row *row, char allow[ROUTER_ALLOW_SIZE],
                                     struct error_record *error)
{
    if (!compose_allow(set, row, allow))
        return error_set(error, HEARTH_MISUSE, "route %s has too many methods",
                         row->target.route->pattern);
    struct row **rows = realloc(router->rows, (router->row_count + 1) * sizeof(struct row *));
    if (!rows)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for routes");
    router->rows = rows;
    return HEARTH_OK;
}

static enum hearth_error add_row(struct router *router, struct row_set *set, struct row *row,
                                 struct error_record *error)
{
    char allow[ROUTER_ALLOW_SIZE];
    enum hearth_error result = prepare_row(router, set, row, allow, error);
    if (result != HEARTH_OK) {
        free(row);
        return result;
    }
    row->target.index = router->row_count;
    router->rows[router->row_count++] = row;
    row->next = set->rows;
    set->rows = row;
    memcpy(set->allow, allow, sizeof allow);
    return HEARTH_OK;
}

enum hearth_error router_add(struct router *router, const struct route *route, const char *module,
                             void *state, struct error_record *error)
{
    struct pattern pattern;
    enum hearth_error result = pattern_parse(route->pattern, &pattern, error);
    if (result != HEARTH_OK)
        return result;
    if (route->method[0] == '\0' || !route->handler)
        return error_set(error, HEARTH_MISUSE, "route %s lacks a method or a handler",
                         route->pattern);
    struct row_set *set = set_for(router, &pattern);
    const struct row *other = set ? find_row(set, view_of(route->method)) : NULL;
    if (other)
        return error_set(error, HEARTH_MISUSE, "route %s %s of module %s is also %s of module %s",
                         route->method, route->pattern, module, other->target.route->pattern,
                         other->target.module);
    struct row *row = set ? make_row(route, module, state, &pattern) : NULL;
    if (!row)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for routes");
    return add_row(router, set, row, error);
}

size_t router_count(const struct router *router)
{
    return router->row_count;
}

const struct router_target *router_target(const struct router *router, size_t index)
{
    return index < router->row_count ? &router->rows[index]->target : NULL;
}

/* ---- Finding ---- */

enum attempt { TRY_LITERAL, TRY_PARAMETER, TRY_TAIL, TRY_NOTHING };

struct step {
    const struct node *node;
    size_t offset; /* of the segment to match next; beyond the path when all are */
    enum attempt attempt;
};

struct walk {
    struct view path;
    struct step steps[PATTERN_MAX_SEGMENTS + 1];
    size_t depth; /* steps in use */
};

static struct view segment_at(struct view path, size_t offset)
{
    struct view rest = view_skip(path, offset);
    return view_slice(rest, 0, view_index_of(rest, '/'));
}

static void descend(struct walk *walk, const struct node *node, size_t offset)
{
    if (node && walk->depth < sizeof walk->steps / sizeof walk->steps[0])
        walk->steps[walk->depth++] = (struct step){node, offset, TRY_LITERAL};
}

/* One attempt at the last step: goes down, or gives back the rows that match, or moves on. */
static const struct row_set *advance(struct walk *walk)
{
    struct step *step = &walk->steps[walk->depth - 1];
    const struct node *node = step->node;
    bool at_end = step->offset > walk->path.length;
    if (at_end) {
        step->attempt = TRY_NOTHING;
        return node->here.rows ? &node->here : NULL;
    }
    struct view segment = segment_at(walk->path, step->offset);
    size_t next = step->offset + segment.length + 1;
    switch (step->attempt++) {
    case TRY_LITERAL:
        descend(walk, find_literal(node, segment), next);
        return NULL;
    case TRY_PARAMETER:
        if (segment.length > 0)
            descend(walk, node->parameter, next);
        return NULL;
    case TRY_TAIL:
        return node->tail.rows ? &node->tail : NULL;
    case TRY_NOTHING:
    default:
        step->attempt = TRY_NOTHING;
        return NULL;
    }
}

static const struct row_set *find_set(const struct router *router, struct walk *walk)
{
    descend(walk, router->root, 1);
    while (walk->depth > 0) {
        const struct row_set *set = advance(walk);
        if (set)
            return set;
        if (walk->steps[walk->depth - 1].attempt >= TRY_NOTHING)
            walk->depth--;
    }
    return NULL;
}

static const struct row *choose_row(const struct row_set *set, const struct request *request)
{
    const struct row *row = find_row(set, request->method_name);
    if (!row && request->method == METHOD_HEAD)
        row = find_row(set, VIEW("GET"));
    return row ? row : find_row(set, VIEW("*"));
}

/* The parameters' values, from the steps that went down through a parameter. */
static enum hearth_error fill_parameters(const struct walk *walk, const struct row *row,
                                         struct view tail, struct request *request)
{
    size_t filled = 0;
    if (row->parameter_count == 0)
        return HEARTH_OK;
    struct pair *items = arena_alloc(request->arena, row->parameter_count * sizeof *items);
    if (!items)
        return request_fail_internal(request, HEARTH_NO_MEMORY, 0, "no memory for parameters");
    for (size_t i = 0; i + 1 < walk->depth; i++) {
        const struct step *step = &walk->steps[i];
        if (walk->steps[i + 1].node != step->node->parameter)
            continue;
        items[filled] =
            (struct pair){row->parameter_names[filled], segment_at(walk->path, step->offset)};
        filled++;
    }
    if (tail.data) {
        items[filled] = (struct pair){row->parameter_names[filled], tail};
        filled++;
    }
    request->parameters = (struct pairs){items, filled};
    return HEARTH_OK;
}

enum hearth_error router_find(const struct router *router, struct request *request,
                              struct router_match *match)
{
    struct walk walk;
    walk.path = request->path;
    walk.depth = 0;
    match->target = NULL;
    match->other = NULL;
    match->path_rest = VIEW_NONE;
    match->allow[0] = '\0';
    if (walk.path.length == 0 || walk.path.data[0] != '/')
        return HEARTH_NOT_FOUND; /* "OPTIONS *" */
    const struct row_set *set = find_set(router, &walk);
    if (!set)
        return HEARTH_NOT_FOUND;
    const struct row *row = choose_row(set, request);
    request->route = row ? row->target.route->pattern : set->rows->target.route->pattern;
    if (!row) {
        memcpy(match->allow, set->allow, sizeof match->allow);
        match->other = &set->rows->target;
        return HEARTH_METHOD_NOT_ALLOWED;
    }
    const struct step *last = &walk.steps[walk.depth - 1];
    if (set == &last->node->tail)
        match->path_rest = view_skip(walk.path, last->offset);
    match->target = &row->target;
    return fill_parameters(&walk, row, match->path_rest, request);
}
