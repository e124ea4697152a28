/*
 * line_protocol.c - InfluxDB line protocol, a line at a time.
 *
 * A line is walked once to see that it is whole (line_begin), then once more to hand its items out,
 * by the same steps. Each step takes what it expects or fails the line:
 *
 *   key      up to an unescaped '=', not empty; no ',' or ' ' before it
 *   tag      key '=' text up to an unescaped ',' or ' ', not empty
 *   field    key '=' string, number or word up to ',' or ' '
 *
 * As in InfluxDB 1.x, a byte is escaped when a backslash stands right before it, whatever stands
 * before that; only within a string does a backslash escape another.
 */
#include "handlers/sensor/ingest/line_protocol.h"

#include "handlers/sensor/text/decimal.h"
#include "hearth/limits.h"

/* ---- Timestamps ---- */

bool line_precision_parse(struct view name, enum line_precision *precision)
{
    static const struct {
        const char *name;
        enum line_precision precision;
    } names[] = {{"n", LINE_PRECISION_NS},  {"ns", LINE_PRECISION_NS}, {"u", LINE_PRECISION_US},
                 {"us", LINE_PRECISION_US}, {"ms", LINE_PRECISION_MS}, {"s", LINE_PRECISION_S},
                 {"m", LINE_PRECISION_M},   {"h", LINE_PRECISION_H}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_equal(name, view_of(names[i].name))) {
            *precision = names[i].precision;
            return true;
        }
    return false;
}

static int64_t divide_down(int64_t number, int64_t by)
{
    return number / by - (number % by < 0 ? 1 : 0);
}

bool line_time_parse(struct view text, enum line_precision precision, int64_t *ms)
{
    static const int64_t divisors[] = {[LINE_PRECISION_NS] = 1000000, [LINE_PRECISION_US] = 1000};
    static const int64_t factors[] = {[LINE_PRECISION_MS] = 1,
                                      [LINE_PRECISION_S] = 1000,
                                      [LINE_PRECISION_M] = 60000,
                                      [LINE_PRECISION_H] = 3600000};
    int64_t number;
    if (!view_to_int64(text, &number))
        return false;
    if (precision <= LINE_PRECISION_US)
        *ms = divide_down(number, divisors[precision]);
    else if (__builtin_mul_overflow(number, factors[precision], ms))
        *ms = number < 0 ? INT64_MIN : INT64_MAX;
    return true;
}

/* ---- Pieces ---- */

static bool is_escaped(struct view text, size_t at)
{
    return at > 0 && text.data[at - 1] == '\\';
}

static bool is_end(char c, const char *ends)
{
    while (*ends && *ends != c)
        ends++;
    return *ends != '\0';
}

/* The index of the first unescaped byte of `ends`, or the text's length. */
static size_t find_end(struct view text, const char *ends)
{
    size_t at = 0;
    while (at < text.length && (!is_end(text.data[at], ends) || is_escaped(text, at)))
        at++;
    return at;
}

/* Cuts the first `length` bytes off. */
static struct view cut(struct view *rest, size_t length)
{
    struct view head = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    return head;
}

static bool take_key(struct view *rest, struct view *key)
{
    size_t length = find_end(*rest, "=, ");
    if (length == 0 || length == rest->length || rest->data[length] != '=')
        return false;
    *key = cut(rest, length);
    *rest = view_skip(*rest, 1);
    return true;
}

/* ---- Values of fields ---- */

static bool is_one_of(struct view text, const struct view *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_equal(text, words[i]))
            return true;
    return false;
}

/* The index behind the string that `text` begins with, or SIZE_MAX when it does not end. */
static size_t string_end(struct view text)
{
    size_t at = 1;
    while (at < text.length && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at < text.length ? at + 1 : SIZE_MAX;
}

static bool take_string(struct view *rest, struct line_item *item)
{
    size_t end = string_end(*rest);
    if (end == SIZE_MAX)
        return false;
    struct view whole = cut(rest, end);
    item->kind = LINE_STRING;
    item->value = view_slice(whole, 1, whole.length - 2);
    return rest->length == 0 || rest->data[0] == ',' || rest->data[0] == ' ';
}

static bool is_whole_number(struct view text)
{
    size_t at = text.length > 0 && text.data[0] == '-' ? 1 : 0;
    if (at == text.length)
        return false;
    while (at < text.length && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at == text.length;
}

static bool judge_bare_value(struct line_item *item)
{
    static const struct view true_words[] = {
        {"t", 1}, {"T", 1}, {"true", 4}, {"True", 4}, {"TRUE", 4}};
    static const struct view false_words[] = {
        {"f", 1}, {"F", 1}, {"false", 5}, {"False", 5}, {"FALSE", 5}};
    int64_t rounded;
    struct view digits = view_slice(item->value, 0, item->value.length - 1);
    item->kind = LINE_TRUE;
    if (is_one_of(item->value, true_words, 5))
        return true;
    item->kind = LINE_FALSE;
    if (is_one_of(item->value, false_words, 5))
        return true;
    char last = item->value.data[item->value.length - 1];
    item->kind = last == 'i' || last == 'u' ? LINE_INTEGER : LINE_FLOAT;
    if (item->kind == LINE_FLOAT)
        return decimal_round(item->value, 0, &rounded);
    item->value = digits;
    return is_whole_number(digits) && (last == 'i' || digits.data[0] != '-');
}

static bool take_field_value(struct view *rest, struct line_item *item)
{
    if (rest->length > 0 && rest->data[0] == '"')
        return take_string(rest, item);
    item->value = cut(rest, find_end(*rest, ", "));
    return item->value.length > 0 && judge_bare_value(item);
}

static bool take_tag_value(struct view *rest, struct line_item *item)
{
    item->kind = LINE_TAG;
    item->value = cut(rest, find_end(*rest, ",= "));
    return item->value.length > 0 && (rest->length == 0 || rest->data[0] != '=');
}

/* ---- A line ---- */

static void skip_blanks(struct view *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->data[length] == ' ')
        length++;
    *rest = view_skip(*rest, length);
}

/* `*ended`: there are no more; then `rest` is the timestamp, or empty. False: not well-formed. */
static bool take_item(struct line_cursor *cursor, struct line_item *item, bool *ended)
{
    struct view *rest = &cursor->rest;
    *ended = false;
    if (!cursor->in_fields && rest->length > 0 && rest->data[0] == ' ') {
        cursor->in_fields = true;
        skip_blanks(rest);
    } else if (rest->length > 0 && rest->data[0] == ',') {
        *rest = view_skip(*rest, 1);
    } else {
        *ended = true;
        return cursor->in_fields;
    }
    if (!take_key(rest, &item->key))
        return false;
    return cursor->in_fields ? take_field_value(rest, item) : take_tag_value(rest, item);
}

/* Where its items begin. */
static bool take_measurement(struct view text, struct line_cursor *cursor)
{
    size_t length = find_end(text, ", ");
    *cursor = (struct line_cursor){.rest = text};
    cursor->measurement = cut(&cursor->rest, length);
    return length > 0 && text.data[0] != '#';
}

bool line_begin(struct view text, struct line_cursor *cursor)
{
    struct line_item item;
    struct line_cursor walk;
    bool ended = false;
    if (!take_measurement(text, cursor))
        return false;
    walk = *cursor;
    while (!ended)
        if (!take_item(&walk, &item, &ended))
            return false;
    skip_blanks(&walk.rest);
    cursor->timestamp = walk.rest.length > 0 ? walk.rest : VIEW_NONE;
    return walk.rest.length == 0 || is_whole_number(walk.rest);
}

bool line_item_next(struct line_cursor *cursor, struct line_item *item)
{
    bool ended;
    return take_item(cursor, item, &ended) && !ended;
}

/* ---- Lines ---- */

/* Without blanks before it, and blanks and a carriage return behind. */
static struct view trim_line(struct view line)
{
    skip_blanks(&line);
    while (line.length > 0 && view_index_of(VIEW(" \r"), line.data[line.length - 1]) != SIZE_MAX)
        line.length--;
    return line;
}

/* Where the line that `text` begins with, at least `plain` bytes, ends when quotes hide newlines:
 * the fields' part begins behind the first unescaped blank, and a string behind '='. */
static size_t quoted_end(struct view text, size_t plain)
{
    size_t at = find_end(view_slice(text, 0, plain), " ");
    while (at < text.length && text.data[at] != '\n') {
        bool opens = text.data[at] == '"' && text.data[at - 1] == '=';
        size_t length = opens ? string_end(view_skip(text, at)) : 1;
        if (length == SIZE_MAX)
            return text.length;
        at += length;
    }
    return at;
}

/* The end of the line that `text` begins with, at its newline or at the end of the text. */
static size_t line_end(struct view text)
{
    struct line_cursor cursor;
    size_t newline = view_index_of(text, '\n');
    size_t plain = newline == SIZE_MAX ? text.length : newline;
    size_t quoted = quoted_end(view_slice(text, 0, LIMIT_READING_BYTES + 1), plain);
    if (quoted <= plain || quoted > LIMIT_READING_BYTES ||
        !line_begin(trim_line(view_slice(text, 0, quoted)), &cursor))
        return plain;
    return quoted;
}

bool line_next(struct view *rest, struct view *line)
{
    while (rest->length > 0) {
        skip_blanks(rest);
        size_t newline = view_index_of(*rest, '\n');
        bool is_comment = rest->length > 0 && rest->data[0] == '#';
        size_t end = is_comment ? (newline == SIZE_MAX ? rest->length : newline) : line_end(*rest);
        *line = trim_line(cut(rest, end));
        *rest = view_skip(*rest, 1);
        if (line->length > 0 && !is_comment)
            return true;
    }
    return false;
}
