/*
 * verify.c - `hearth verify`: is every reading that was stored still there, as it was?
 *
 * It reads the files as they are, takes no lock and changes nothing; a pool may go on meanwhile.
 */
#include "app/cli/cli.h"
#include "app/cli/figures.h"
#include "app/cli/store_open.h"
#include "app/cli/verify_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAXIMUM = 16 << 20, WHAT_BYTES = 512 };

/* ---- Findings ---- */

static void tell(struct verify *verify, const char *where, const char *what)
{
    if (verify->json) {
        buffer_append_text(&verify->found, verify->problems == 1 ? "{\"where\":" : ",{\"where\":");
        buffer_append_json(&verify->found, view_of(where));
        buffer_append_text(&verify->found, ",\"what\":");
        buffer_append_json(&verify->found, view_of(what));
        buffer_append_byte(&verify->found, '}');
        return;
    }
    if (verify->progress.shown)
        fprintf(stderr, "\r\033[K");
    printf("%s: %s\n", where, what);
    fflush(stdout);
}

void verify_problem(struct verify *verify, const char *where, const char *format, ...)
{
    char what[WHAT_BYTES];
    va_list arguments;
    if (++verify->problems > VERIFY_PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tell(verify, where, what);
}

void verify_note(struct verify *verify, const char *format, ...)
{
    va_list arguments;
    verify->notes++;
    if (verify->json)
        return;
    va_start(arguments, format);
    fprintf(stderr, "hearth: ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- The report ---- */

static int print_json(struct verify *verify)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    buffer_append_format(
        &out,
        "{\"good\":%s,\"files\":%" PRIu64 ",\"days\":%" PRIu64 ",\"records\":%" PRIu64
        ",\"live_records\":%zu,\"summarized_days\":%" PRIu64 ",\"days_without_summary\":%" PRIu64
        ",\"problem_count\":%" PRIu64 ",\"problems\":[",
        verify->problems == 0 ? "true" : "false", verify->files, verify->days, verify->records,
        verify->scan.live_count, verify->summarized_days, verify->unsummarized_days,
        verify->problems);
    buffer_append(&out, buffer_view(&verify->found));
    buffer_append_text(&out, "]}\n");
    int result = cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

static void print_text(const struct verify *verify)
{
    char files[FIGURE_SIZE], records[FIGURE_SIZE], days[FIGURE_SIZE], live[FIGURE_SIZE];
    if (verify->problems > VERIFY_PROBLEMS_MAX)
        printf("%" PRIu64 " more\n", verify->problems - VERIFY_PROBLEMS_MAX);
    printf("%s: %s sealed readings in %s files, %s live, %s days", verify->store,
           figure_count(verify->records, records), figure_count(verify->files, files),
           figure_count(verify->scan.live_count, live), figure_count(verify->days, days));
    if (verify->unsummarized_days > 0)
        printf(" (%s without a summary)", figure_count(verify->unsummarized_days, days));
    if (verify->problems == 0)
        printf(": all good\n");
    else
        printf(": %" PRIu64 " problem%s\n", verify->problems, verify->problems == 1 ? "" : "s");
}

/* ---- The command ---- */

static enum hearth_error check_manifest(struct verify *verify, struct error_record *error)
{
    struct error_record inner = {0};
    enum hearth_error code = store_scan_manifest(&verify->scan, verify->store, &inner);
    if (code == HEARTH_CORRUPT) {
        verify_problem(verify, "manifest", "%s", inner.detail);
        return HEARTH_OK; /* what stands before is looked at all the same */
    }
    if (code != HEARTH_OK)
        return error_set_internal(error, code, inner.number, "%s", inner.detail);
    verify_end_of_manifest(verify);
    return HEARTH_OK;
}

static enum hearth_error verify_all(struct verify *verify, bool quiet, struct error_record *error)
{
    enum hearth_error code = check_manifest(verify, error);
    if (code == HEARTH_OK)
        code = verify_live(verify, error);
    progress_start(&verify->progress, "verifying", verify->scan.sealed_bytes, true, quiet);
    if (code == HEARTH_OK)
        code = verify_suspects(verify, error);
    if (code == HEARTH_OK)
        code = verify_days(verify, error);
    progress_end(&verify->progress);
    return code == HEARTH_OK ? verify_strays(verify, error) : code;
}

static int run(struct verify *verify, bool quiet)
{
    struct error_record error = {0};
    enum hearth_error code = verify_all(verify, quiet, &error);
    if (code != HEARTH_OK)
        return cli_failed("not everything was verified", code, &error);
    if (verify->json) {
        int result = print_json(verify);
        if (result != CLI_OK)
            return result;
    } else {
        print_text(verify);
    }
    return verify->problems == 0 ? CLI_OK : CLI_FAILED;
}

int cli_verify(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct verify verify = {.summary_year = INT32_MIN};
    struct cli_store store = {0};
    const char *directory = NULL;
    bool quiet = false;
    const struct cli_option options[] = {
        {.name = "store", .text = &directory},
        {.name = "json", .flag = &verify.json},
        {.name = "quiet", .flag = &quiet},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result == CLI_GO_ON && count > 0)
        result = cli_mistaken(command, "takes options only, not %s", argv[0]);
    if (result == CLI_GO_ON)
        result = cli_store_find(cli, directory, &store);
    if (result == CLI_GO_ON)
        result = cli_store_must_exist(&store);
    buffer_init(&verify.found, OUTPUT_MAXIMUM);
    verify.store = store.options.directory;
    if (result == CLI_GO_ON)
        result = run(&verify, quiet);
    free(verify.suspects);
    store_scan_clean(&verify.scan);
    buffer_clean(&verify.found);
    cli_store_close(&store);
    return result;
}
