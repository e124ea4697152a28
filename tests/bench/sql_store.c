#include "tests/bench/sql_store.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "time, channel, rolling_code, scale, raw, humidity, battery_low, signal"

struct sql_store {
    struct reading_store store;
    char address[512];
};

static void sql_free(struct reading_store *store)
{
    free(store);
}

static struct sql_store *sql_store_new(const char *address)
{
    struct sql_store *store = calloc(1, sizeof *store);
    if (store) {
        snprintf(store->address, sizeof store->address, "%s", address);
        store->store.free = sql_free;
    }
    return store;
}

static void count_accepted(size_t count, struct append_result *result)
{
    *result = (struct append_result){.accepted = count, .first_ms = -1, .last_ms = -1};
}

/* ---- SQLite -------------------------------------------------------------------------------- */

static _Thread_local sqlite3 *sqlite;
static _Thread_local sqlite3_stmt *sqlite_insert, *sqlite_begin, *sqlite_commit;

static int sqlite_connect(const char *path)
{
    static const char setup[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE IF NOT EXISTS readings (time INTEGER, channel INTEGER, rolling_code INTEGER,"
        " scale INTEGER, raw INTEGER, humidity INTEGER, battery_low INTEGER, signal INTEGER)";
    if (sqlite)
        return 0;
    int code = sqlite3_open(path, &sqlite);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(sqlite, 60000);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sqlite, setup, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(sqlite, "INSERT INTO readings VALUES (?,?,?,?,?,?,?,?)", -1,
                                  &sqlite_insert, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(sqlite, "BEGIN IMMEDIATE", -1, &sqlite_begin, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(sqlite, "COMMIT", -1, &sqlite_commit, NULL);
    if (code != SQLITE_OK)
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(sqlite));
    return code;
}

static int sqlite_run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int sqlite_one(const struct record *record)
{
    struct reading reading;
    if (record_decode(record, &reading) != REJECT_NONE)
        return SQLITE_MISMATCH;
    sqlite3_bind_int64(sqlite_insert, 1, reading.time_ms);
    sqlite3_bind_int(sqlite_insert, 2, reading.channel);
    sqlite3_bind_int(sqlite_insert, 3, reading.rolling_code);
    sqlite3_bind_int(sqlite_insert, 4, (int)reading.scale);
    sqlite3_bind_int(sqlite_insert, 5, reading.raw);
    sqlite3_bind_int(sqlite_insert, 6, reading.humidity);
    sqlite3_bind_int(sqlite_insert, 7, reading.battery_low);
    sqlite3_bind_int(sqlite_insert, 8, reading.signal);
    return sqlite_run(sqlite_insert);
}

static enum hearth_error sqlite_append(struct reading_store *store, const struct record *records,
                                       size_t count, const struct rejected_reading *rejected,
                                       size_t rejected_count, int64_t deadline_ns,
                                       struct append_result *result, struct error_record *error)
{
    (void)rejected, (void)rejected_count, (void)deadline_ns;
    if (sqlite_connect(((struct sql_store *)store)->address) != SQLITE_OK)
        return error_set(error, HEARTH_UNAVAILABLE, "sqlite does not open");
    /* A single INSERT is its own transaction. */
    int code = count > 1 ? sqlite_run(sqlite_begin) : SQLITE_OK;
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite_one(&records[i]);
    if (count > 1 && code == SQLITE_OK)
        code = sqlite_run(sqlite_commit);
    if (code != SQLITE_OK)
        return error_set(error, HEARTH_IO, "sqlite: %s", sqlite3_errmsg(sqlite));
    count_accepted(count, result);
    return HEARTH_OK;
}

struct reading_store *sqlite_store_new(const char *path)
{
    struct sql_store *store = sql_store_new(path);
    if (!store)
        return NULL;
    store->store.append = sqlite_append;
    /* Made here once, so that the threads do not race for it. The connection is not kept: SQLite's
     * do not survive a fork. */
    int code = sqlite_connect(path);
    sqlite3_finalize(sqlite_insert);
    sqlite3_finalize(sqlite_begin);
    sqlite3_finalize(sqlite_commit);
    sqlite3_close(sqlite);
    sqlite = NULL;
    if (code == SQLITE_OK)
        return &store->store;
    free(store);
    return NULL;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------ */

static _Thread_local PGconn *postgres;

static bool postgres_run(const char *statement)
{
    PGresult *answer = PQexec(postgres, statement);
    bool done = PQresultStatus(answer) == PGRES_COMMAND_OK;
    if (!done)
        fprintf(stderr, "postgresql: %s", PQerrorMessage(postgres));
    PQclear(answer);
    return done;
}

static bool postgres_connect(const char *conninfo)
{
    if (postgres)
        return true;
    postgres = PQconnectdb(conninfo);
    if (PQstatus(postgres) != CONNECTION_OK) {
        fprintf(stderr, "postgresql: %s", PQerrorMessage(postgres));
        return false;
    }
    PGresult *answer = PQprepare(postgres, "put",
                                 "INSERT INTO readings VALUES ($1::int8,$2::int2,$3::int2,$4::int2,"
                                 "$5::int2,$6::int2,$7::int2,$8::int2)",
                                 8, NULL);
    bool done = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    return done;
}

static void postgres_field(char *to, int64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (char)(value >> (8 * (bytes - 1 - i)));
}

static bool postgres_one(const struct record *record)
{
    struct reading r;
    char wide[8], narrow[7][2];
    const char *values[8] = {wide};
    int lengths[8] = {8}, formats[8] = {1};
    if (record_decode(record, &r) != REJECT_NONE)
        return false;
    const int fields[7] = {r.channel,  r.rolling_code, (int)r.scale, r.raw,
                           r.humidity, r.battery_low,  r.signal};
    postgres_field(wide, r.time_ms, 8);
    for (int i = 0; i < 7; i++) {
        postgres_field(narrow[i], fields[i], 2);
        values[i + 1] = narrow[i];
        lengths[i + 1] = 2;
        formats[i + 1] = 1;
    }
    PGresult *answer = PQexecPrepared(postgres, "put", 8, values, lengths, formats, 1);
    bool done = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    return done;
}

static enum hearth_error postgres_append(struct reading_store *store, const struct record *records,
                                         size_t count, const struct rejected_reading *rejected,
                                         size_t rejected_count, int64_t deadline_ns,
                                         struct append_result *result, struct error_record *error)
{
    (void)rejected, (void)rejected_count, (void)deadline_ns;
    if (!postgres_connect(((struct sql_store *)store)->address))
        return error_set(error, HEARTH_UNAVAILABLE, "postgresql does not connect");
    bool done = count == 1 || postgres_run("BEGIN");
    for (size_t i = 0; i < count && done; i++)
        done = postgres_one(&records[i]);
    if (count > 1 && done)
        done = postgres_run("COMMIT");
    if (!done)
        return error_set(error, HEARTH_IO, "postgresql: %s", PQerrorMessage(postgres));
    count_accepted(count, result);
    return HEARTH_OK;
}

struct reading_store *postgres_store_new(const char *conninfo)
{
    /* Workers do this at the same moment, and IF NOT EXISTS is no guard against that. */
    static const char create_table[] =
        "BEGIN; SELECT pg_advisory_xact_lock(1);"
        "CREATE TABLE IF NOT EXISTS readings (time int8, channel int2, rolling_code int2,"
        " scale int2, raw int2, humidity int2, battery_low int2, signal int2);"
        "COMMIT";
    struct sql_store *store = sql_store_new(conninfo);
    if (!store)
        return NULL;
    store->store.append = postgres_append;
    postgres = PQconnectdb(conninfo);
    bool done = PQstatus(postgres) == CONNECTION_OK && postgres_run(create_table);
    PQfinish(postgres);
    postgres = NULL;
    if (done)
        return &store->store;
    free(store);
    return NULL;
}
