/*
 * fcgi_child.h - what the master's children, workers and keeper, have in common: how they begin,
 * how they report that they are ready or why they are not, and how they wait for signals.
 *
 * All signals that the pool uses are blocked before the first fork and stay so in every thread;
 * each process takes them up by fcgi_child_wait. A master that dies sends its children SIGTERM.
 */
#ifndef HEARTH_FCGI_CHILD_H
#define HEARTH_FCGI_CHILD_H

#include <sys/types.h>

#include "hearth/base.h"

/* Of each thread; only what is touched costs memory. Sanitizers put much more into a frame. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { FCGI_STACK_BYTES = 4 << 20 };
#else
enum { FCGI_STACK_BYTES = 512 << 10 };
#endif

enum { FCGI_REPORT_DETAIL_SIZE = 320 };
/* One write to a pipe: whole, or not at all. */
struct fcgi_report {
    enum hearth_error code; /* HEARTH_OK: ready */
    char detail[FCGI_REPORT_DETAIL_SIZE];
};

/* Blocks the pool's signals, ignores SIGPIPE. */
void fcgi_signals_block(void);

/* First thing in a child. Ends the process when the master has died meanwhile. */
void fcgi_child_begin(const char *title, pid_t master);
bool fcgi_child_is_orphan(pid_t master);
/* To the master: ready, or why not (`error` may be empty). */
void fcgi_child_report(int pipe, enum hearth_error code, const struct error_record *error);
/* The next signal within the time, or 0. */
int fcgi_child_wait(int64_t milliseconds);
/* False when there is none yet, or the pipe is at its end (`*ended`). */
bool fcgi_report_read(int pipe, struct fcgi_report *report, bool *ended);

#endif
