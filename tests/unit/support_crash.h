/*
 * support_crash.h - file operations that write down what was done, and disks made of that: what is
 * left when the power fails at any moment.
 *
 * Operations go through to the system and are recorded, below one directory. A disk is then made of
 * the first so many of them. What was synced is on it; of what was not, as much as the loss says:
 * all, nothing, lengths without content (zeros), or the last write up to a 512-byte step. Names
 * that were not synced with their directory are there or not, all of them or none.
 *
 * One thread.
 */
#ifndef TESTS_SUPPORT_CRASH_H
#define TESTS_SUPPORT_CRASH_H

#include "support.h"

#include "handlers/sensor/disk/file_operations.h"

enum crash_loss { CRASH_LOSES_NOTHING, CRASH_DROPS, CRASH_ZEROES, CRASH_TEARS };

struct crash_disk {
    size_t operations; /* so many were done */
    enum crash_loss loss;
    size_t torn_at;  /* CRASH_TEARS: so many bytes of the last unsynced write are there... */
    bool torn_zeros; /* ... and behind them zeros, or nothing */
    bool names;      /* are names there that were not synced? */
};

struct crash_operation;
struct crash_name;

struct crash_files {
    struct file_operations files; /* pass &crash.files */
    const char *root;             /* what is below it is recorded; must outlive it */
    struct crash_operation *operations;
    size_t count, capacity;
    size_t *inodes; /* of open files, by descriptor; 0 = not recorded */
    size_t inode_capacity, inode_count;
    struct crash_name *names; /* of the files that are there */
    size_t name_count;
};

void crash_files_init(struct crash_files *crash, const char *root);
void crash_files_clean(struct crash_files *crash);
/* Makes the disk below `root`, which is empty. */
void crash_disk_make(const struct crash_files *crash, const struct crash_disk *disk,
                     const char *root);
/* The bytes of the last write among the first so many operations, when it was not synced by then;
 * else 0. */
size_t crash_unsynced_bytes(const struct crash_files *crash, size_t operations);

#endif
