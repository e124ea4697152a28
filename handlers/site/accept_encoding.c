/*
 * accept_encoding.c - what Accept-Encoding says about gzip (RFC 9110 section 12.5.3).
 *
 * A coding's quality is that of its own name, else that of "*". "x-gzip" is an old name of gzip.
 * Content as it is ("identity") is acceptable without being named, but a client that names gzip
 * alone wants gzip; only where both are named do their qualities decide.
 */
#include "handlers/site/site.h"

enum { NOT_NAMED = -1, QUALITY_FULL = 1000 };

struct qualities {
    int gzip, identity, any;
};

/* "0", "1", "0.5", "1.000": in thousandths. What is malformed counts as not acceptable. */
static int parse_quality(struct view text)
{
    if (text.length == 0 || text.length > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.length > 1 && text.data[1] != '.'))
        return 0;
    int value = (text.data[0] - '0') * QUALITY_FULL, unit = QUALITY_FULL / 10;
    for (size_t i = 2; i < text.length; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        value += (text.data[i] - '0') * unit;
    }
    return value <= QUALITY_FULL ? value : 0;
}

static int item_quality(struct view parameters)
{
    while (parameters.data) {
        struct view value = view_split(&parameters, ';');
        struct view name = view_trim(view_split(&value, '='));
        if (view_equal_ignore_case(name, VIEW("q")))
            return parse_quality(view_trim(value));
    }
    return QUALITY_FULL;
}

static void read_item(struct view item, struct qualities *qualities)
{
    struct view rest = item;
    struct view coding = view_trim(view_split(&rest, ';'));
    int *quality = view_equal(coding, VIEW("*"))                      ? &qualities->any
                   : view_equal_ignore_case(coding, VIEW("gzip"))     ? &qualities->gzip
                   : view_equal_ignore_case(coding, VIEW("x-gzip"))   ? &qualities->gzip
                   : view_equal_ignore_case(coding, VIEW("identity")) ? &qualities->identity
                                                                      : NULL;
    if (quality)
        *quality = item_quality(rest);
}

bool site_accepts_gzip(const struct request *request)
{
    struct qualities qualities = {NOT_NAMED, NOT_NAMED, NOT_NAMED};
    for (size_t i = 0; i < request->headers.count; i++) {
        struct view rest = request->headers.items[i].value;
        if (!view_equal_ignore_case(request->headers.items[i].name, VIEW("accept-encoding")))
            continue;
        while (rest.data)
            read_item(view_split(&rest, ','), &qualities);
    }
    int gzip = qualities.gzip != NOT_NAMED ? qualities.gzip : qualities.any;
    return gzip > 0 && gzip >= qualities.identity;
}
