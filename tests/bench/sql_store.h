/*
 * sql_store.h - the peers of the ingest benchmark: the reading store's append over SQLite and
 * PostgreSQL.
 *
 * Only `append` and `free` are there. Each thread has a connection of its own, made at its first
 * append. A reading is one row of plain columns, committed before append returns. There is no index
 * and no duplicate check, both of which Hearth does: the peers are given that advantage.
 */
#ifndef BENCH_SQL_STORE_H
#define BENCH_SQL_STORE_H

#include "hearth/reading_store.h"

/* `path` of the database, which is made: WAL, synchronous=FULL. NULL with a message on standard
 * error. */
struct reading_store *sqlite_store_new(const char *path);
/* `conninfo` as libpq takes it; the table is made. synchronous_commit is on, as it is by default.
 */
struct reading_store *postgres_store_new(const char *conninfo);

#endif
