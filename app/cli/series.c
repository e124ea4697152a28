/*
 * series.c - `hearth series`: what people call the series, and which transmitters they were.
 */
#include "app/cli/arguments.h"
#include "app/cli/cli.h"
#include "app/cli/series_list.h"
#include "app/cli/store_open.h"
#include "handlers/sensor/series/series_edit.h"
#include "handlers/sensor/series/series_names_internal.h"

#include <stdio.h>
#include <string.h>

enum { OUTPUT_MAXIMUM = 64 << 20 };

struct series_options {
    const char *store, *id, *from, *to;
    bool json;
};

/* A subcommand that is being carried out. */
struct series_work {
    const struct command *command;
    struct series_options given;
    struct cli_store store;
    struct series_edit *edit; /* NULL for list */
    int count;
    char **arguments;           /* without the subcommand's name */
    char made[SERIES_ID_BYTES]; /* the series that a transmitter became; "" = none */
    bool first_taken;           /* by first_reading */
    int64_t first_ms;
};

/* ---- Arguments ---- */

/* "5-107", the number of a transmitter. */
static bool parse_transmitter(const char *text, int *channel, int *rolling_code)
{
    uint32_t place;
    if (!series_place_parse(view_of(text), &place))
        return false;
    *channel = (int)(place / 256) + 1;
    *rolling_code = (int)(place % 256);
    return true;
}

/* "7200", "2h", "90m", "1d"; 0 = the default. */
static bool parse_limit(const char *text, int64_t *seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct view number = view_of(text);
    int64_t factor = 1;
    if (strcmp(text, "default") == 0) {
        *seconds = 0;
        return true;
    }
    for (size_t i = 0; number.length > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (number.data[number.length - 1] != units[i].letter)
            continue;
        factor = units[i].seconds;
        number.length--;
        break;
    }
    return view_to_int64(number, seconds) && *seconds > 0 &&
           !__builtin_mul_overflow(*seconds, factor, seconds) && *seconds <= SERIES_STALE_MAX_S;
}

static char lower_case(char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c | 0x20);
    return c;
}

/* An id out of a name: "Living room" becomes "living-room". Empty when no letter is in it. */
static void make_id(const char *name, char id[SERIES_ID_BYTES])
{
    size_t length = 0;
    bool gap = false;
    for (; *name && length + 2 < SERIES_ID_BYTES; name++) {
        char c = lower_case(*name);
        bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        if (!letter && !(digit && length > 0)) {
            gap = length > 0;
            continue;
        }
        if (gap)
            id[length++] = '-';
        gap = false;
        id[length++] = c;
    }
    id[length] = '\0';
}

/* ---- list ---- */

static int run_list(struct series_work *work)
{
    struct error_record error = {0};
    struct buffer out;
    struct series_names *names =
        series_names_load(work->store.options.directory, work->store.default_stale_ms, &error);
    if (!names)
        return cli_failed("the names of the series", error.code, &error);
    buffer_init(&out, OUTPUT_MAXIMUM);
    enum hearth_error code = work->given.json
                                 ? series_list_json(names, work->store.readings, &out, &error)
                                 : series_list_table(names, work->store.readings, &out, &error);
    int result = code == HEARTH_OK ? cli_print_buffer(&out)
                                   : cli_failed("the series cannot be listed", code, &error);
    buffer_clean(&out);
    series_names_free(names);
    return result;
}

/* ---- Changes: each fills `error`, and is then saved ---- */

static enum hearth_error mistaken(struct error_record *error, const char *what)
{
    return error_set(error, HEARTH_BAD_REQUEST, "%s", what);
}

/* A transmitter that has no name yet becomes a series. */
static enum hearth_error name_new(struct series_work *work, const struct series_window *window,
                                  const char *name, struct error_record *error)
{
    char id[SERIES_ID_BYTES];
    size_t windows;
    make_id(name, id);
    if (work->given.id)
        snprintf(id, sizeof id, "%s", work->given.id);
    if (id[0] == '\0')
        return mistaken(error, "no id can be made of this name: give one with --id");
    series_names_windows(series_edit_names(work->edit), window->channel, window->rolling_code,
                         &windows);
    if (windows > 0)
        return error_set(error, HEARTH_CONFLICT,
                         "%d-%d is, or was, another series' transmitter: name that one, or use "
                         "`hearth series alias` with --from",
                         window->channel, window->rolling_code);
    enum hearth_error code = series_edit_add(work->edit, id, error);
    if (code == HEARTH_OK)
        code = series_edit_name(work->edit, id, name, error);
    if (code == HEARTH_OK)
        code = series_edit_alias(work->edit, id, window, error);
    snprintf(work->made, sizeof work->made, "%s", id);
    return code;
}

static enum hearth_error change_name(struct series_work *work, struct error_record *error)
{
    struct series_window window = {.to_ms = INT64_MAX};
    const char *id = work->arguments[0], *name = work->arguments[1];
    if (parse_transmitter(id, &window.channel, &window.rolling_code))
        return name_new(work, &window, name, error);
    if (work->given.id)
        return mistaken(error, "--id is for a transmitter that gets its first name");
    return series_edit_name(work->edit, id, name, error);
}

static enum hearth_error change_place(struct series_work *work, struct error_record *error)
{
    return series_edit_place(work->edit, work->arguments[0], work->arguments[1], error);
}

static enum hearth_error change_unit(struct series_work *work, struct error_record *error)
{
    const char *unit = work->arguments[1];
    if (strcmp(unit, "default") == 0)
        return series_edit_unit(work->edit, work->arguments[0], SERIES_UNIT_DEFAULT, error);
    if (strcmp(unit, "F") != 0 && strcmp(unit, "C") != 0)
        return mistaken(error, "the units are F, C and default");
    return series_edit_unit(work->edit, work->arguments[0],
                            unit[0] == 'C' ? SERIES_UNIT_C : SERIES_UNIT_F, error);
}

static enum hearth_error change_limit(struct series_work *work, struct error_record *error)
{
    int64_t seconds;
    if (!parse_limit(work->arguments[1], &seconds))
        return mistaken(error, "a limit is 1 s to a year, like 7200, 90m, 2h, 1d, or default");
    return series_edit_limit(work->edit, work->arguments[0], seconds, error);
}

/* ---- alias ---- */

static enum hearth_error stop_at_first(void *context, const struct record *records, size_t count)
{
    struct series_work *work = context;
    if (count == 0)
        return HEARTH_OK;
    work->first_taken = true;
    work->first_ms = record_time_ms(&records[0]);
    return HEARTH_CLIENT_GONE; /* enough */
}

/* The first reading of the transmitter behind what the names say of it and of the series: that is
 * when the battery was changed. */
static enum hearth_error first_reading(struct series_work *work, const char *id,
                                       const struct series_window *window,
                                       struct error_record *error)
{
    const struct series_names *names = series_edit_names(work->edit);
    struct reading_range range = {0, INT64_MAX, window->channel, window->rolling_code, false};
    size_t count;
    uint32_t index;
    const struct series_window *own =
        series_names_windows(names, window->channel, window->rolling_code, &count);
    if (count > 0)
        range.from_ms = own[count - 1].to_ms;
    if (series_names_by_id(names, view_of(id), &index) && index < series_names_count(names)) {
        const struct named_series *series = series_names_get(names, index);
        const struct series_window *last =
            series->window_count > 0 ? &series->windows[series->window_count - 1] : NULL;
        int64_t after_ms = !last ? 0 : last->to_ms == INT64_MAX ? last->from_ms + 1 : last->to_ms;
        range.from_ms = after_ms > range.from_ms ? after_ms : range.from_ms;
    }
    enum hearth_error code =
        work->store.readings->range(work->store.readings, &range, stop_at_first, work, error);
    if (work->first_taken)
        return HEARTH_OK;
    if (code != HEARTH_OK)
        return code;
    return error_set(error, HEARTH_NOT_FOUND,
                     "%d-%d has no reading that could be the first: say --from", window->channel,
                     window->rolling_code);
}

static enum hearth_error change_alias(struct series_work *work, struct error_record *error)
{
    const char *id = work->arguments[0];
    struct series_window window = {.to_ms = INT64_MAX};
    if (!parse_transmitter(work->arguments[1], &window.channel, &window.rolling_code))
        return mistaken(error, "a transmitter is CHANNEL-CODE, like 5-107");
    if (work->given.to && !cli_parse_time(work->given.to, &window.to_ms))
        return mistaken(error, "--to takes a day like 2025-09-14, a time, or now");
    if (work->given.from && !cli_parse_time(work->given.from, &window.from_ms))
        return mistaken(error, "--from takes a day like 2025-09-14, a time, or now");
    if (!work->given.from) {
        enum hearth_error code = first_reading(work, id, &window, error);
        if (code != HEARTH_OK)
            return code;
        window.from_ms = work->first_ms;
    }
    return series_edit_alias(work->edit, id, &window, error);
}

/* ---- forget ---- */

static enum hearth_error change_forget(struct series_work *work, struct error_record *error)
{
    int channel, code;
    int64_t from_ms = -1;
    if (work->given.from && !cli_parse_time(work->given.from, &from_ms))
        return mistaken(error, "--from takes a day like 2025-09-14, a time, or now");
    if (work->count == 1)
        return series_edit_forget(work->edit, work->arguments[0], error);
    if (!parse_transmitter(work->arguments[1], &channel, &code))
        return mistaken(error, "a transmitter is CHANNEL-CODE, like 5-107");
    return series_edit_unalias(work->edit, work->arguments[0], channel, code, from_ms, error);
}

/* ---- The subcommands ---- */

static const struct subcommand {
    const char *name;
    int least, most; /* arguments */
    const char *arguments;
    enum hearth_error (*change)(struct series_work *work, struct error_record *error);
    bool reads;        /* the store, unless --from is given */
    bool from, to, id; /* the options that mean something */
} subcommands[] = {
    {"list", 0, 0, "no arguments", NULL, true, false, false, false},
    {"name", 2, 2, "a series or a transmitter, and its name", change_name, false, false, false,
     true},
    {"alias", 2, 2, "a series and a transmitter", change_alias, true, true, true, false},
    {"unit", 2, 2, "a series and F, C or default", change_unit, false, false, false, false},
    {"place", 2, 2, "a series and its place", change_place, false, false, false, false},
    {"limit", 2, 2, "a series and a time", change_limit, false, false, false, false},
    {"forget", 1, 2, "a series, or a series and a transmitter", change_forget, false, true, false,
     false},
};

static int check_options(const struct series_work *work, const struct subcommand *subcommand)
{
    const struct series_options *given = &work->given;
    const struct {
        const char *name;
        bool given, known;
    } options[] = {
        {"from", given->from != NULL, subcommand->from},
        {"to", given->to != NULL, subcommand->to},
        {"id", given->id != NULL, subcommand->id},
        {"json", given->json, subcommand->change == NULL},
    };
    if (work->count < subcommand->least || work->count > subcommand->most)
        return cli_mistaken(work->command, "%s takes %s", subcommand->name, subcommand->arguments);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i].given && !options[i].known)
            return cli_mistaken(work->command, "%s takes no --%s", subcommand->name,
                                options[i].name);
    }
    return CLI_GO_ON;
}

static int change(struct series_work *work, const struct subcommand *subcommand)
{
    struct error_record error = {0};
    work->edit =
        series_edit_open(&file_system, work->store.options.directory, &clock_system, &error);
    if (!work->edit)
        return cli_failed("nothing was changed", error.code, &error);
    enum hearth_error code = subcommand->change(work, &error);
    if (code == HEARTH_OK)
        code = series_edit_save(work->edit, &error);
    series_edit_close(work->edit);
    if (code != HEARTH_OK)
        return cli_failed("nothing was changed", code, &error);
    if (work->made[0] != '\0')
        fprintf(stderr, "hearth: %s is now the series %s\n", work->arguments[0], work->made);
    return CLI_OK;
}

static int run(struct cli *cli, struct series_work *work, const struct subcommand *subcommand)
{
    int over = check_options(work, subcommand);
    if (over == CLI_GO_ON)
        over = cli_store_find(cli, work->given.store, &work->store);
    if (over == CLI_GO_ON)
        over = cli_store_must_exist(&work->store);
    if (over == CLI_GO_ON && subcommand->reads && !work->given.from)
        over = cli_store_open(&work->store);
    if (over == CLI_GO_ON)
        over = subcommand->change ? change(work, subcommand) : run_list(work);
    cli_store_close(&work->store);
    return over;
}

int cli_series(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct series_work work = {.command = command};
    const struct cli_option options[] = {
        {.name = "store", .text = &work.given.store}, {.name = "id", .text = &work.given.id},
        {.name = "from", .text = &work.given.from},   {.name = "to", .text = &work.given.to},
        {.name = "json", .flag = &work.given.json},
    };
    int count;
    int over =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (over != CLI_GO_ON)
        return over;
    if (count == 0)
        return cli_mistaken(command, "list, name, alias, unit, place, limit or forget?");
    work.count = count - 1;
    work.arguments = argv + 1;
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(argv[0], subcommands[i].name) == 0)
            return run(cli, &work, &subcommands[i]);
    }
    return cli_mistaken(command, "there is no series %s", argv[0]);
}
