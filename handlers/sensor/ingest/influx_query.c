/*
 * influx_query.c - GET and POST /query: the two statements that clients send before they write.
 *
 * CREATE DATABASE is answered as if done, and SHOW DATABASES names the one that there is: whatever
 * database a client writes to, its readings come into this store.
 */
#include "handlers/sensor/ingest/influx.h"

#include "app/http/query.h"

enum { FORM_BYTES = 65536, FORM_PAIRS = 64, ANSWER_BYTES = 65536 };

/* ---- Statements ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word, in quotes or not; the empty view at the end. */
static struct view next_word(struct view *rest)
{
    size_t at = 0, length = 0;
    while (at < rest->length && is_blank(rest->data[at]))
        at++;
    *rest = view_skip(*rest, at);
    bool quoted = rest->length > 0 && rest->data[0] == '"';
    do
        length++;
    while (length < rest->length &&
           (quoted ? rest->data[length - 1] != '"' || length == 1 : !is_blank(rest->data[length])));
    struct view word = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    return word;
}

static bool is_word(struct view *rest, const char *word)
{
    return view_equal_ignore_case(next_word(rest), view_of(word));
}

static bool is_create_database(struct view statement)
{
    if (!is_word(&statement, "CREATE") || !is_word(&statement, "DATABASE"))
        return false;
    struct view name = next_word(&statement);
    struct view next = next_word(&statement); /* WITH DURATION and so on */
    return name.length > 0 && (next.length == 0 || view_equal_ignore_case(next, VIEW("WITH")));
}

static bool is_show_databases(struct view statement)
{
    return is_word(&statement, "SHOW") && is_word(&statement, "DATABASES") &&
           next_word(&statement).length == 0;
}

/* Adds a statement's result. False when it is neither of the two. */
static bool add_result(struct buffer *out, struct view statement, int id)
{
    bool shows = is_show_databases(statement);
    if (!shows && !is_create_database(statement))
        return false;
    buffer_append_format(out, "%s{\"statement_id\":%d", id > 0 ? "," : "", id);
    if (shows)
        buffer_append_text(out, ",\"series\":[{\"name\":\"databases\",\"columns\":[\"name\"],"
                                "\"values\":[[\"hearth\"]]}]");
    buffer_append_byte(out, '}');
    return true;
}

static enum hearth_error run(const struct request *request, struct view statements,
                             struct buffer *out)
{
    int id = 0;
    buffer_append_text(out, "{\"results\":[");
    while (statements.data) {
        struct view statement = view_split(&statements, ';'), rest = statement;
        if (next_word(&rest).length == 0)
            continue;
        if (!add_result(out, statement, id++))
            return request_fail(request, HEARTH_BAD_QUERY,
                                "error parsing query: this is no InfluxDB; it knows CREATE "
                                "DATABASE and SHOW DATABASES, readings are asked for at "
                                "/api/v1/range");
    }
    buffer_append_text(out, "]}\n");
    if (id == 0)
        return request_fail(request, HEARTH_BAD_QUERY, "missing required parameter \"q\"");
    return buffer_status(out);
}

/* ---- The request ---- */

/* `q` of the query, else of a form in the body. */
static enum hearth_error read_statements(const struct request *request, struct view *statements)
{
    struct buffer form;
    struct pairs pairs = {0};
    struct view text;
    *statements = request_query(request, "q");
    if (statements->length > 0 || request->method != METHOD_POST)
        return HEARTH_OK;
    buffer_init(&form, FORM_BYTES);
    enum hearth_error error = body_limit(request->body, FORM_BYTES);
    if (!error)
        error = body_read_all(request->body, &form);
    text = error ? VIEW_NONE : arena_copy(request->arena, buffer_view(&form));
    if (!error && !text.data)
        error = HEARTH_NO_MEMORY;
    if (!error)
        error = query_parse(request->arena, text, FORM_PAIRS, &pairs, request->error);
    buffer_clean(&form);
    for (size_t i = 0; !error && i < pairs.count; i++)
        if (view_equal(pairs.items[i].name, VIEW("q")))
            *statements = pairs.items[i].value;
    return error;
}

static enum hearth_error answer(const struct request *request, struct response *response,
                                struct buffer *out)
{
    struct view statements;
    enum hearth_error error = read_statements(request, &statements);
    if (!error)
        error = run(request, statements, out);
    if (!error)
        error = influx_begin(response);
    return error ? error : response_send(response, 200, VIEW("application/json"), buffer_view(out));
}

enum hearth_error influx_query(const struct request *request, struct response *response,
                               void *state)
{
    struct auth_identity identity;
    struct buffer out;
    enum hearth_error error = influx_allow(state, request, &identity);
    buffer_init(&out, ANSWER_BYTES);
    if (!error)
        error = answer(request, response, &out);
    buffer_clean(&out);
    return error ? influx_fail(request, response, INFLUX_V1, error) : HEARTH_OK;
}
