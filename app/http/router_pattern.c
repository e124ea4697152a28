/*
 * router_pattern.c - the grammar of route patterns: "/" and segments between slashes, each a
 * literal, "{name}" or, as the last one, "{name...}". Only the last literal may be empty (a pattern
 * that ends in a slash). Literals stand as request.path has them: decoded.
 */
#include "app/http/router_pattern.h"

#include "hearth/limits.h"

static bool name_is_valid(struct view name)
{
    if (name.length == 0)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static bool literal_is_valid(struct view text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= 0x20 || text.data[i] == '{' || text.data[i] == '}')
            return false;
    return !view_equal(text, VIEW(".")) && !view_equal(text, VIEW(".."));
}

static const char *parse_segment(struct view text, bool last, struct pattern_segment *segment)
{
    bool braces = text.length > 0 && text.data[0] == '{';
    *segment = (struct pattern_segment){SEGMENT_LITERAL, text};
    if (!braces) {
        if (text.length == 0 && !last)
            return "has an empty segment";
        return literal_is_valid(text) ? NULL : "has a malformed literal";
    }
    if (!view_ends_with(text, VIEW("}")))
        return "has a brace without its partner";
    segment->kind = SEGMENT_PARAMETER;
    segment->text = view_slice(text, 1, text.length - 2);
    if (view_ends_with(segment->text, VIEW("..."))) {
        if (!last)
            return "has a tail that is not its end";
        segment->kind = SEGMENT_TAIL;
        segment->text.length -= 3;
    }
    return name_is_valid(segment->text) ? NULL : "has a malformed parameter name";
}

static const char *check_names(const struct pattern *pattern)
{
    size_t parameters = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->segments[i].kind == SEGMENT_LITERAL)
            continue;
        parameters++;
        for (size_t other = 0; other < i; other++)
            if (pattern->segments[other].kind != SEGMENT_LITERAL &&
                view_equal(pattern->segments[other].text, pattern->segments[i].text))
                return "names a parameter twice";
    }
    return parameters > LIMIT_ROUTE_PARAMETERS ? "has too many parameters" : NULL;
}

enum hearth_error pattern_parse(const char *text, struct pattern *pattern,
                                struct error_record *error)
{
    const char *wrong = text[0] == '/' ? NULL : "does not begin with '/'";
    struct view rest = view_of(wrong ? "" : text + 1);
    pattern->count = 0;
    while (!wrong && rest.data) {
        struct view segment = view_split(&rest, '/');
        wrong = pattern->count == PATTERN_MAX_SEGMENTS
                    ? "has too many segments"
                    : parse_segment(segment, !rest.data, &pattern->segments[pattern->count]);
        if (!wrong)
            pattern->count++;
    }
    if (!wrong)
        wrong = check_names(pattern);
    if (wrong)
        return error_set(error, HEARTH_MISUSE, "route %s %s", text, wrong);
    return HEARTH_OK;
}
