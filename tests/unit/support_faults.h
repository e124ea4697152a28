/*
 * support_faults.h - file operations that fail when a test says so.
 *
 * Counts every call. One of them can be made to fail with an errno or to write only half, or to end
 * the process; or any can fail by chance; all writes can be made to find the disk full; a file can
 * be made unreadable. Any thread, but for a storm.
 */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

#include "handlers/sensor/disk/file_operations.h"

#include <stdatomic.h>

enum fault_kind { FAULT_NONE, FAULT_ERRNO, FAULT_SHORT_WRITE };

struct fault_files {
    struct file_operations files; /* pass &faults.files */
    _Atomic int64_t calls;        /* so far */
    int64_t fail_at;              /* the call that fails, counted from 1; 0 = none */
    enum fault_kind kind;
    int number;                   /* the errno of FAULT_ERRNO */
    int64_t death_at;             /* the process ends before this call; 0 = never */
    uint32_t storm;               /* of 1,000 calls so many fail, each in its own way; 0 = none */
    uint32_t storm_state;         /* not 0 in a storm */
    int fail_each_sync;           /* every so many-th fdatasync fails with EIO; 0 = none */
    _Atomic bool full;            /* writes that need room fail with ENOSPC */
    bool dry;                     /* what is synced is counted, and not synced: for speed */
    _Atomic int failed;           /* how many calls failed so far */
    _Atomic int syncs;            /* fdatasync calls so far */
    _Atomic int directory_syncs;  /* fsync calls so far */
    _Atomic uint64_t asked_bytes; /* of all pwrite calls so far */
    const char *unreadable;       /* files with this in their path cannot be read; NULL = none */
    bool is_unreadable[1024];     /* by descriptor */
    char log[64];                 /* the name of the call that failed */
};

void fault_files_init(struct fault_files *faults);

#endif
