/*
 * fcgi_child.c - see fcgi_child.h.
 */
#include "app/adapter/fcgi_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static void pool_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
    sigaddset(set, SIGCHLD);
}

void fcgi_signals_block(void)
{
    sigset_t set;
    pool_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void fcgi_child_begin(const char *title, pid_t master)
{
    prctl(PR_SET_NAME, title);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (fcgi_child_is_orphan(master)) { /* it died before the line above */
        _exit(0);
    }
}

bool fcgi_child_is_orphan(pid_t master)
{
    return getppid() != master;
}

void fcgi_child_report(int pipe, enum hearth_error code, const struct error_record *error)
{
    struct fcgi_report report = {.code = code};
    if (code != HEARTH_OK) {
        error_describe(error, code, report.detail, sizeof report.detail);
    }
    if (write(pipe, &report, sizeof report) != (ssize_t)sizeof report) {
        return; /* the master has gone, and its children go with it */
    }
}

int fcgi_child_wait(int64_t milliseconds)
{
    const struct timespec limit = {.tv_sec = (time_t)(milliseconds / 1000),
                                   .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    sigset_t set;
    pool_signals(&set);
    const int number = sigtimedwait(&set, NULL, &limit);
    return number > 0 ? number : 0;
}

bool fcgi_report_read(int pipe, struct fcgi_report *report, bool *ended)
{
    const ssize_t length = read(pipe, report, sizeof *report);
    *ended = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
    return length == (ssize_t)sizeof *report;
}
