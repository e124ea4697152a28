/*
 * health.c - /healthz: alive, which answering at all shows; /readyz: whether everything that
 * serving needs is there, and what is missing.
 */
#include "handlers/ops/ops.h"

static enum hearth_error forbid_caching(struct response *response)
{
    return response_set_header(response, VIEW("Cache-Control"), VIEW("no-store"));
}

enum hearth_error ops_healthz(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = forbid_caching(response);
    return result == HEARTH_OK
               ? response_send(response, 200, VIEW("text/plain; charset=utf-8"), VIEW("ok\n"))
               : result;
}

/* ---- Readiness ---- */

struct report {
    struct buffer text;
    size_t count;
};

enum { REPORT_MAX_BYTES = 16384 }; /* 16 checks with 128 bytes of reason each, escaped */

static void add_json(void *context, const char *name, bool ready, const char *why)
{
    struct report *report = context;
    buffer_append_text(&report->text, report->count++ ? ",{\"name\":" : "{\"name\":");
    buffer_append_json(&report->text, view_of(name));
    buffer_append_text(&report->text, ready ? ",\"ready\":true" : ",\"ready\":false");
    if (!ready) {
        buffer_append_text(&report->text, ",\"why\":");
        buffer_append_json(&report->text, view_of(why));
    }
    buffer_append_text(&report->text, "}");
}

static void add_line(void *context, const char *name, bool ready, const char *why)
{
    struct report *report = context;
    buffer_append_text(&report->text, name);
    buffer_append_text(&report->text, ready ? ": ready" : ": ");
    buffer_append_text(&report->text, why);
    buffer_append_text(&report->text, "\n");
}

static bool write_json(struct report *report, struct readiness *readiness)
{
    buffer_append_text(&report->text, "{\"checks\":[");
    bool ready = readiness_check(readiness, add_json, report);
    buffer_append_text(&report->text, ready ? "],\"ready\":true}\n" : "],\"ready\":false}\n");
    return ready;
}

static bool write_text(struct report *report, struct readiness *readiness)
{
    bool ready = readiness_check(readiness, add_line, report);
    buffer_append_text(&report->text, ready ? "ready\n" : "not ready\n");
    return ready;
}

static bool wants_json(const struct request *request)
{
    return request_accepts(request, VIEW("application/json")) >
           request_accepts(request, VIEW("text/plain"));
}

enum hearth_error ops_readyz(const struct request *request, struct response *response, void *state)
{
    const struct ops *ops = state;
    struct report report = {.count = 0};
    bool json = wants_json(request);
    buffer_init(&report.text, REPORT_MAX_BYTES);
    bool ready = json ? write_json(&report, ops->services.readiness)
                      : write_text(&report, ops->services.readiness);
    enum hearth_error result = buffer_status(&report.text);
    if (result == HEARTH_OK)
        result = forbid_caching(response);
    if (result == HEARTH_OK)
        result = response_set_header(response, VIEW("Vary"), VIEW("Accept"));
    if (result == HEARTH_OK)
        result = response_send(response, ready ? 200 : 503,
                               json ? VIEW("application/json") : VIEW("text/plain; charset=utf-8"),
                               buffer_view(&report.text));
    buffer_clean(&report.text);
    return result;
}
