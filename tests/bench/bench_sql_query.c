/*
 * bench_sql_query.c - SQLite's and PostgreSQL's answer to a query of 1,000 points.
 *
 *   bench_sql_query fill sqlite|postgres ADDRESS READINGS.bin
 *   bench_sql_query query sqlite|postgres ADDRESS FROM_MS TO_MS RUNS
 *
 * ADDRESS is a file's name or a conninfo. fill makes the table in the fastest way there is, then
 * the index on series (a channel is one) and time, and has it analysed; it prints the bytes of the
 * table and of the index. query prints the median time of one statement that gives the least, the
 * greatest and the plain mean of temperature and humidity of each series and bucket; that is less
 * than Hearth gives (first, last, their times, a mean weighted with time).
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_support.h"

enum { BUCKETS = 1000, MOST_RUNS = 1001, STATEMENT_BYTES = 1024, LINE_BYTES = 128 };

#define COLUMNS "time, channel, rolling_code, scale, raw, humidity, battery_low, signal"

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_sql_query: %s\n", what);
    exit(1);
}

/* The buckets by whole numbers: faster in both than width_bucket, generate_series or floor. */
static void make_query(char *statement, int64_t from_ms, int64_t to_ms)
{
    snprintf(statement, STATEMENT_BYTES,
             "SELECT channel, (time - %" PRId64 ") * %d / %" PRId64
             ", min(raw), max(raw), avg(raw),"
             " min(humidity), max(humidity), avg(humidity) FROM readings"
             " WHERE time >= %" PRId64 " AND time < %" PRId64 " GROUP BY 1, 2",
             from_ms, BUCKETS, to_ms - from_ms, from_ms, to_ms);
}

/* ---- SQLite ---- */

static sqlite3 *sqlite;

static void sqlite_do(const char *statements)
{
    demand(sqlite3_exec(sqlite, statements, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(sqlite));
}

static int64_t sqlite_bytes(void)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(
        sqlite, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", -1,
        &statement, NULL);
    demand(code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW, sqlite3_errmsg(sqlite));
    int64_t bytes = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return bytes;
}

static void sqlite_bind(sqlite3_stmt *insert, const struct reading *reading)
{
    sqlite3_bind_int64(insert, 1, reading->time_ms);
    sqlite3_bind_int(insert, 2, reading->channel);
    sqlite3_bind_int(insert, 3, reading->rolling_code);
    sqlite3_bind_int(insert, 4, (int)reading->scale);
    if (reading->raw != RAW_ABSENT)
        sqlite3_bind_int(insert, 5, reading->raw);
    if (reading->humidity != HUMIDITY_ABSENT)
        sqlite3_bind_int(insert, 6, reading->humidity);
    sqlite3_bind_int(insert, 7, reading->battery_low);
    sqlite3_bind_int(insert, 8, reading->signal);
}

static void sqlite_fill(const struct bench_file *file)
{
    sqlite3_stmt *insert;
    sqlite_do("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE readings"
              " (time INTEGER, channel INTEGER, rolling_code INTEGER, scale INTEGER, raw INTEGER,"
              " humidity INTEGER, battery_low INTEGER, signal INTEGER); BEGIN");
    demand(sqlite3_prepare_v2(sqlite, "INSERT INTO readings VALUES (?,?,?,?,?,?,?,?)", -1, &insert,
                              NULL) == SQLITE_OK,
           sqlite3_errmsg(sqlite));
    for (size_t i = 0; i < file->count; i++) {
        const struct reading reading = bench_file_reading(file, i);
        sqlite3_clear_bindings(insert);
        sqlite_bind(insert, &reading);
        demand(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(sqlite));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite_do("COMMIT");
    int64_t table = sqlite_bytes();
    sqlite_do("CREATE INDEX readings_series_time ON readings (channel, time); ANALYZE");
    printf("{\"rows\":%zu,\"table_bytes\":%" PRId64 ",\"index_bytes\":%" PRId64 "}\n", file->count,
           table, sqlite_bytes() - table);
}

static size_t sqlite_query(const char *statement)
{
    sqlite3_stmt *query;
    size_t rows = 0;
    demand(sqlite3_prepare_v2(sqlite, statement, -1, &query, NULL) == SQLITE_OK,
           sqlite3_errmsg(sqlite));
    while (sqlite3_step(query) == SQLITE_ROW)
        rows++;
    demand(sqlite3_finalize(query) == SQLITE_OK, sqlite3_errmsg(sqlite));
    return rows;
}

static void sqlite_connect(const char *path)
{
    demand(sqlite3_open(path, &sqlite) == SQLITE_OK, "sqlite does not open");
    /* All of it may stay in memory. */
    sqlite_do("PRAGMA cache_size=-2000000; PRAGMA mmap_size=4000000000;"
              "PRAGMA temp_store=MEMORY");
}

/* ---- PostgreSQL ---- */

static PGconn *postgres;

static PGresult *postgres_ask(const char *statement, ExecStatusType wanted)
{
    PGresult *answer = PQexec(postgres, statement);
    demand(PQresultStatus(answer) == wanted, PQerrorMessage(postgres));
    return answer;
}

static void postgres_do(const char *statement)
{
    PQclear(postgres_ask(statement, PGRES_COMMAND_OK));
}

static int64_t postgres_number(const char *statement)
{
    PGresult *answer = postgres_ask(statement, PGRES_TUPLES_OK);
    int64_t number = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return number;
}

static void put_or_null(char text[16], int value, int absent)
{
    if (value == absent)
        snprintf(text, 16, "\\N");
    else
        snprintf(text, 16, "%d", value);
}

static void postgres_copy(const struct bench_file *file)
{
    PQclear(postgres_ask("COPY readings (" COLUMNS ") FROM STDIN", PGRES_COPY_IN));
    for (size_t i = 0; i < file->count; i++) {
        const struct reading reading = bench_file_reading(file, i);
        char line[LINE_BYTES], raw[16], humidity[16];
        put_or_null(raw, reading.raw, RAW_ABSENT);
        put_or_null(humidity, reading.humidity, HUMIDITY_ABSENT);
        int length =
            snprintf(line, sizeof line, "%" PRId64 "\t%d\t%d\t%d\t%s\t%s\t%d\t%d\n",
                     reading.time_ms, reading.channel, reading.rolling_code, (int)reading.scale,
                     raw, humidity, reading.battery_low, reading.signal);
        demand(PQputCopyData(postgres, line, length) == 1, PQerrorMessage(postgres));
    }
    demand(PQputCopyEnd(postgres, NULL) == 1, PQerrorMessage(postgres));
    PGresult *answer = PQgetResult(postgres);
    demand(PQresultStatus(answer) == PGRES_COMMAND_OK, PQerrorMessage(postgres));
    PQclear(answer);
    while ((answer = PQgetResult(postgres)))
        PQclear(answer);
}

static void postgres_fill(const struct bench_file *file)
{
    postgres_do("CREATE TABLE readings (time int8, channel int2, rolling_code int2, scale int2,"
                " raw int2, humidity int2, battery_low int2, signal int2)");
    postgres_copy(file);
    postgres_do("CREATE INDEX ON readings (channel, time)");
    postgres_do("VACUUM ANALYZE readings");
    int64_t table = postgres_number("SELECT pg_relation_size('readings')");
    int64_t index = postgres_number("SELECT pg_indexes_size('readings')");
    printf("{\"rows\":%zu,\"table_bytes\":%" PRId64 ",\"index_bytes\":%" PRId64 "}\n", file->count,
           table, index);
}

static size_t postgres_query(const char *statement)
{
    PGresult *answer = postgres_ask(statement, PGRES_TUPLES_OK);
    size_t rows = (size_t)PQntuples(answer);
    PQclear(answer);
    return rows;
}

static void postgres_connect(const char *conninfo)
{
    postgres = PQconnectdb(conninfo);
    demand(PQstatus(postgres) == CONNECTION_OK, PQerrorMessage(postgres));
}

/* ---- Either ---- */

static void query(bool is_sqlite, char **arguments)
{
    static double times[MOST_RUNS];
    char statement[STATEMENT_BYTES];
    size_t rows = 0;
    int runs = (int)strtol(arguments[6], NULL, 10);
    demand(runs > 0 && runs <= MOST_RUNS, "1 to 1,001 runs");
    make_query(statement, strtoll(arguments[4], NULL, 10), strtoll(arguments[5], NULL, 10));
    /* The first one warms, unless it is the only one. */
    for (int i = runs > 1 ? -1 : 0; i < runs; i++) {
        double start = bench_now_ms();
        rows = is_sqlite ? sqlite_query(statement) : postgres_query(statement);
        times[i < 0 ? 0 : i] = bench_now_ms() - start;
    }
    printf("{\"ms\":%.3f,\"rows\":%zu}\n", bench_median(times, (size_t)runs), rows);
}

int main(int count, char **arguments)
{
    bool is_fill = count == 5 && strcmp(arguments[1], "fill") == 0;
    demand(is_fill || (count == 7 && strcmp(arguments[1], "query") == 0),
           "fill KIND ADDRESS FILE, or query KIND ADDRESS FROM_MS TO_MS RUNS");
    bool is_sqlite = strcmp(arguments[2], "sqlite") == 0;
    struct bench_file file;
    if (is_sqlite)
        sqlite_connect(arguments[3]);
    else
        postgres_connect(arguments[3]);
    if (!is_fill) {
        query(is_sqlite, arguments);
    } else {
        bench_file_map(arguments[4], &file);
        if (is_sqlite)
            sqlite_fill(&file);
        else
            postgres_fill(&file);
    }
    sqlite3_close(sqlite);
    PQfinish(postgres);
    return 0;
}
