/*
 * progress.h - how far a long command has come: a line on the terminal that is drawn over and over.
 *
 *   importing [#########-----------]  46 %  812,340/s  1.4 of 3.1 GB  0:23 left
 *
 * On standard error, and only when that is a terminal. Drawn ten times a second at most; asking in
 * between costs a look at the clock.
 */
#ifndef HEARTH_CLI_PROGRESS_H
#define HEARTH_CLI_PROGRESS_H

#include "hearth/base.h"

struct progress {
    bool shown;
    const char *verb;    /* a literal */
    uint64_t total;      /* of what is counted to the end; 0 = not known */
    bool bytes;          /* `total` counts bytes */
    bool hide_total;     /* it counts nothing that means anything to people */
    uint64_t start_done; /* where it began: what was done before does not count for the speed */
    int64_t start_ns, drawn_ns;
};

void progress_start(struct progress *progress, const char *verb, uint64_t total, bool bytes,
                    bool quiet);
/* It begins at `done`, because an earlier run came so far. */
void progress_resume(struct progress *progress, uint64_t done);
/* `done` of `total`; `readings` since the start, which give the speed. */
void progress_show(struct progress *progress, uint64_t done, uint64_t readings);
/* Takes the line away. */
void progress_end(struct progress *progress);

#endif
