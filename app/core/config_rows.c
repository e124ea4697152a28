/*
 * config_rows.c - the program's own rows: pool, http, log, state, objects, auth.
 *
 * What a row needs, its texts included, stands in one place; the parser, the messages, the
 * annotated sample and the manual follow from it.
 */
#include "app/core/config_validate.h"
#include "hearth/config.h"

enum { HOUR_MS = 3600000 };

static const char *const level_choices[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_choices[] = {"json", "text", NULL};

static const struct config_row rows[] = {
    /* ---- The pool ---- */
    {.key = "pool.listen",
     .type = CONFIG_STRING,
     .minimum = 1,
     .initial = "unix:/run/hearth/hearth.sock",
     .validate = config_validate_listen,
     .text = "Where hearth-fcgi listens: unix:/PATH, or tcp:ADDRESS:PORT on a loopback address. "
             "A socket that was handed over by spawn-fcgi or systemd is used instead. "
             "A reload keeps the socket: a change of this key, of the three below or of "
             "pool.pid_file needs a restart."},
    {.key = "pool.socket_mode",
     .type = CONFIG_STRING,
     .minimum = 3,
     .maximum = 4,
     .initial = "0660",
     .validate = config_validate_mode,
     .text = "The permissions of the Unix socket, in octal. "
             "Who can write to the socket can send requests that claim to come from anywhere, so "
             "this should be the web server alone."},
    {.key = "pool.socket_group",
     .type = CONFIG_STRING,
     .maximum = 32,
     .initial = "",
     .validate = config_validate_group,
     .text = "The group of the Unix socket, usually that of the web server. "
             "When empty, the socket has the group that hearth-fcgi runs with."},
    {.key = "pool.backlog",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 65535,
     .initial = "511",
     .text = "How many connections the kernel keeps waiting before it refuses more. "
             "The kernel's own maximum (net.core.somaxconn) holds as well."},
    {.key = "pool.workers",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 64,
     .initial = "2",
     .text = "Worker processes. "
             "One a core is plenty; a second one keeps answering while the first is started again. "
             "A reload takes over this and pool.threads unless their product grows: that needs a "
             "restart."},
    {.key = "pool.threads",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 256,
     .initial = "16",
     .text = "Threads of each worker, which is how many requests it handles at once. "
             "A connection that only waits holds none of them. At most half of them send answers "
             "of any size (all readings), which go at the client's pace; more such requests are "
             "answered 503 for the moment."},
    {.key = "pool.request_timeout_ms",
     .type = CONFIG_INTEGER,
     .minimum = 100,
     .maximum = HOUR_MS,
     .initial = "60000",
     .text = "The deadline of a request, in milliseconds from its arrival. "
             "Behind it the client gets 504. "
             "An answer that has begun may go on: see pool.least_send_bytes_per_s."},
    {.key = "pool.receive_timeout_ms",
     .type = CONFIG_INTEGER,
     .minimum = 100,
     .maximum = HOUR_MS,
     .initial = "10000",
     .text = "How long a request that has begun may pause before it is given up with 408, in "
             "milliseconds."},
    {.key = "pool.send_timeout_ms",
     .type = CONFIG_INTEGER,
     .minimum = 100,
     .maximum = HOUR_MS,
     .initial = "30000",
     .text = "How long the web server may take no byte of an answer before the connection is "
             "closed, in milliseconds."},
    {.key = "pool.least_send_bytes_per_s",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 1 << 30,
     .initial = "16384",
     .text = "How fast an answer must be taken, in bytes a second, to go on behind the deadline of "
             "its request. "
             "One that is taken more slowly is broken off pool.request_timeout_ms later at the "
             "latest, so that nobody holds a thread for ever by taking drops."},
    {.key = "pool.drain_timeout_ms",
     .type = CONFIG_INTEGER,
     .minimum = 0,
     .maximum = HOUR_MS,
     .initial = "30000",
     .text = "How long a worker that ends, at a stop or a reload, goes on serving the connections "
             "it has, in milliseconds. "
             "Longer than the time after which the web server closes an idle connection, no "
             "request is lost."},
    {.key = "pool.pid_file",
     .type = CONFIG_STRING,
     .initial = "",
     .validate = config_validate_file,
     .text = "Where the master writes its process id. When empty, nowhere."},

    /* ---- Requests ---- */
    {.key = "http.max_head_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 256,
     .maximum = 1 << 24,
     .initial = "65536",
     .text = "The names and values of all headers of a request together, in bytes. "
             "Above it the client gets 431."},
    {.key = "http.max_headers",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 10000,
     .initial = "200",
     .text = "How many headers a request may have, those that the web server adds included. "
             "Above it the client gets 431."},
    {.key = "http.max_header_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 64,
     .maximum = 1 << 24,
     .initial = "16384",
     .text = "The value of one header, in bytes. Above it the client gets 431."},
    {.key = "http.max_target_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 64,
     .maximum = 1 << 20,
     .initial = "8192",
     .text = "The path and query of a request, in bytes. Above it the client gets 414."},
    {.key = "http.max_query_pairs",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 10000,
     .initial = "256",
     .text = "How many parameters a query may have. Above it the client gets 400."},
    {.key = "http.max_body_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = INT64_C(1) << 40,
     .initial = "16777216",
     .text = "The largest body that a request may have, in bytes; some routes have a smaller "
             "maximum of their own. "
             "Above it the client gets 413."},
    {.key = "http.trusted_proxies",
     .type = CONFIG_LIST,
     .maximum = 256,
     .initial = "",
     .validate = config_validate_trusted,
     .text = "Whose X-Forwarded-For, Forwarded and X-Request-Id are believed: addresses, ranges "
             "like 10.0.0.0/8, \"loopback\", and \"unix\" for a peer without an address. "
             "Leave it empty unless another proxy stands before the web server."},
    {.key = "http.cors_origins",
     .type = CONFIG_LIST,
     .maximum = 256,
     .initial = "",
     .validate = config_validate_origin,
     .text = "The origins whose pages may call the API from a browser, like https://example.org; "
             "\"*\" stands for every origin. When empty, only Hearth's own pages may."},
    {.key = "http.cors_headers",
     .type = CONFIG_LIST,
     .maximum = 64,
     .initial = "authorization content-type",
     .validate = config_validate_header_name,
     .text = "The request headers that pages of those origins may send."},
    {.key = "http.cors_max_age_s",
     .type = CONFIG_INTEGER,
     .minimum = 0,
     .maximum = 86400,
     .initial = "600",
     .text = "How long a browser may remember what the two keys above allowed it, in seconds."},

    /* ---- The log ---- */
    {.key = "log.level",
     .type = CONFIG_CHOICE,
     .initial = "info",
     .choices = level_choices,
     .text = "The least important lines that are written. "
             "A request is info; a request that failed by Hearth's own fault is error."},
    {.key = "log.format",
     .type = CONFIG_CHOICE,
     .initial = "json",
     .choices = format_choices,
     .text = "One JSON object a line for programs, or text for people. Times are UTC in both."},
    {.key = "log.file",
     .type = CONFIG_STRING,
     .initial = "",
     .validate = config_validate_file,
     .text = "Where lines are appended; SIGUSR1 opens it again after a rotation. "
             "When empty, standard error."},
    {.key = "log.requests",
     .type = CONFIG_BOOLEAN,
     .initial = "true",
     .text = "Write a line for each request. Query values, bodies and credentials are never in "
             "it. When false, only requests that failed by Hearth's own fault are written."},

    /* ---- Where data is ---- */
    {.key = "state.directory",
     .restart = true,
     .type = CONFIG_STRING,
     .minimum = 1,
     .initial = "/var/lib/hearth",
     .validate = config_validate_directory,
     .text = "The directory that holds everything that must not be lost. "
             "It belongs to the user that hearth-fcgi runs as."},
    {.key = "objects.directory",
     .restart = true,
     .type = CONFIG_STRING,
     .initial = "",
     .validate = config_validate_directory,
     .text = "The directory of the object store: tokens, posts, pages. "
             "When empty, \"objects\" in state.directory."},

    /* ---- Who may do what ---- */
    {.key = "auth.reload_interval_ms",
     .type = CONFIG_INTEGER,
     .minimum = 10,
     .maximum = HOUR_MS,
     .initial = "2000",
     .text = "How often at most the tokens are looked at again for changes, in milliseconds, which "
             "is also how long a revoked token may still be let in."},
};

const struct config_rows config_program_rows = {rows, sizeof rows / sizeof rows[0]};
