/*
 * accept.c - what Accept says about a media type (RFC 9110 section 12.5.1).
 *
 * The most specific range that matches decides: "text/html" before "text/" + "*", before the range
 * of all. Parameters other than q do not change what matches, but a range without any beats one
 * that has some. What is malformed is passed over.
 */
#include "hearth/request.h"

enum { QUALITY_FULL = 1000, QUALITY_DIGITS = 3 };

enum specificity { MATCHES_NOT, MATCHES_ALL, MATCHES_TYPE, MATCHES_WITH_PARAMETERS, MATCHES_EXACT };

/* "0", "1", "0.5", "0.123", "1.000": thousandths; false for anything else. */
static bool parse_quality(struct view text, int *quality)
{
    if (text.length == 0 || text.length > 2 + QUALITY_DIGITS ||
        (text.data[0] != '0' && text.data[0] != '1') || (text.length > 1 && text.data[1] != '.'))
        return false;
    int value = (text.data[0] - '0') * QUALITY_FULL, unit = QUALITY_FULL / 10;
    for (size_t i = 2; i < text.length; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value += (text.data[i] - '0') * unit;
    }
    *quality = value;
    return value <= QUALITY_FULL;
}

/* Reads ";level=1;q=0.5" behind a range. */
static bool parse_parameters(struct view rest, int *quality, bool *has_others)
{
    *quality = QUALITY_FULL;
    *has_others = false;
    while (rest.data) {
        struct view value = view_trim(view_split(&rest, ';'));
        struct view name = view_trim(view_split(&value, '='));
        if (view_equal_ignore_case(name, VIEW("q"))) {
            if (!parse_quality(view_trim(value), quality))
                return false;
            break; /* what follows q are extensions */
        }
        *has_others = *has_others || name.length > 0;
    }
    return true;
}

static enum specificity match_range(struct view range, struct view media_type, bool has_parameters)
{
    if (view_equal(range, VIEW("*/*")))
        return MATCHES_ALL;
    if (view_equal_ignore_case(range, media_type))
        return has_parameters ? MATCHES_WITH_PARAMETERS : MATCHES_EXACT;
    size_t slash = view_index_of(range, '/');
    if (slash != SIZE_MAX && view_equal(view_skip(range, slash), VIEW("/*")) &&
        view_starts_with_ignore_case(media_type, view_slice(range, 0, slash + 1)))
        return MATCHES_TYPE;
    return MATCHES_NOT;
}

struct accept_best {
    enum specificity specificity;
    int quality;
};

static void judge_header(struct view rest, struct view media_type, struct accept_best *best)
{
    while (rest.data) {
        struct view parameters = view_split(&rest, ',');
        struct view range = view_trim(view_split(&parameters, ';'));
        int quality;
        bool has_parameters;
        if (!parse_parameters(parameters, &quality, &has_parameters))
            continue;
        enum specificity specificity = match_range(range, media_type, has_parameters);
        if (specificity > best->specificity)
            *best = (struct accept_best){specificity, quality};
        else if (specificity != MATCHES_NOT && specificity == best->specificity &&
                 quality > best->quality)
            best->quality = quality;
    }
}

int request_accepts(const struct request *request, struct view media_type)
{
    struct accept_best best = {MATCHES_NOT, 0};
    bool asked = false;
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct pair *header = &request->headers.items[i];
        if (!view_equal_ignore_case(header->name, VIEW("accept")) ||
            view_trim(header->value).length == 0)
            continue;
        asked = true;
        judge_header(header->value, media_type, &best);
    }
    return asked ? best.quality : QUALITY_FULL;
}

bool request_prefers_html(const struct request *request)
{
    int json = request_accepts(request, VIEW("application/json"));
    int problem = request_accepts(request, VIEW("application/problem+json"));
    int html = request_accepts(request, VIEW("text/html"));
    return html > json && html > problem;
}
