/*
 * support_crash.c - file operations that write down what was done, and disks made of that.
 */
#include "support_crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, MAX_FILES = 8192 };

enum kind { CREATE, WRITE, CUT, SYNC, SYNC_NAMES, RENAME, UNLINK, MKDIR };

struct crash_operation {
    enum kind kind;
    size_t inode;    /* of a file, from 1; CREATE says which is made */
    char *path, *to; /* below the root: "/live/00000001.bin" */
    unsigned char *bytes;
    size_t count;
    uint64_t offset; /* or the length of CUT */
};

/* Numbers are given here: the system's are used again. */
struct crash_name {
    char *path;
    size_t inode;
};

static struct crash_files *crash_of(struct file_operations *files)
{
    return (struct crash_files *)(void *)files;
}

/* ---- Recording ---- */

/* NULL: it is elsewhere. */
static const char *below(const struct crash_files *crash, const char *path)
{
    size_t length = strlen(crash->root);
    return strncmp(path, crash->root, length) == 0 ? path + length : NULL;
}

static struct crash_operation *record(struct crash_files *crash, enum kind kind)
{
    if (crash->count == crash->capacity) {
        crash->capacity = crash->capacity ? 2 * crash->capacity : 256;
        crash->operations = realloc(crash->operations, crash->capacity * sizeof *crash->operations);
        assert_non_null(crash->operations);
    }
    struct crash_operation *operation = &crash->operations[crash->count++];
    *operation = (struct crash_operation){.kind = kind};
    return operation;
}

static void record_path(struct crash_files *crash, enum kind kind, const char *path, const char *to)
{
    if (!below(crash, path))
        return;
    struct crash_operation *operation = record(crash, kind);
    operation->path = strdup(below(crash, path));
    operation->to = to ? strdup(below(crash, to)) : NULL;
}

static struct crash_name *find_name(struct crash_files *crash, const char *path)
{
    for (size_t i = 0; i < crash->name_count; i++)
        if (strcmp(crash->names[i].path, path) == 0)
            return &crash->names[i];
    return NULL;
}

/* 0 takes the name away. */
static void set_name(struct crash_files *crash, const char *path, size_t inode)
{
    struct crash_name *name = find_name(crash, path);
    if (!name) {
        crash->names = realloc(crash->names, (crash->name_count + 1) * sizeof *crash->names);
        assert_non_null(crash->names);
        name = &crash->names[crash->name_count++];
        name->path = strdup(path);
    }
    name->inode = inode;
}

static size_t inode_of(struct crash_files *crash, const char *path)
{
    const struct crash_name *name = find_name(crash, path);
    return name ? name->inode : 0;
}

static size_t descriptor_inode(struct crash_files *crash, int file)
{
    return (size_t)file < crash->inode_capacity ? crash->inodes[file] : 0;
}

static void remember(struct crash_files *crash, int file, size_t inode)
{
    if ((size_t)file >= crash->inode_capacity) {
        size_t capacity = (size_t)file + 64;
        crash->inodes = realloc(crash->inodes, capacity * sizeof *crash->inodes);
        assert_non_null(crash->inodes);
        memset(crash->inodes + crash->inode_capacity, 0,
               (capacity - crash->inode_capacity) * sizeof *crash->inodes);
        crash->inode_capacity = capacity;
    }
    crash->inodes[file] = inode;
}

static int crash_open(struct file_operations *files, const char *path, int flags, mode_t mode)
{
    struct crash_files *crash = crash_of(files);
    bool stood = access(path, F_OK) == 0;
    int file = file_system.open(&file_system, path, flags, mode);
    if (file < 0 || !below(crash, path))
        return file;
    if ((flags & O_CREAT) && !stood) {
        struct crash_operation *operation = record(crash, CREATE);
        operation->inode = ++crash->inode_count;
        operation->path = strdup(below(crash, path));
        set_name(crash, path, operation->inode);
    }
    remember(crash, file, inode_of(crash, path));
    if (!stood)
        return file;
    if (flags & O_TRUNC)
        record(crash, CUT)->inode = descriptor_inode(crash, file);
    return file;
}

static int crash_close(struct file_operations *files, int file)
{
    if ((size_t)file < crash_of(files)->inode_capacity)
        crash_of(files)->inodes[file] = 0;
    return file_system.close(&file_system, file);
}

static ssize_t crash_pread(struct file_operations *files, int file, void *bytes, size_t count,
                           off_t offset)
{
    (void)files;
    return file_system.pread(&file_system, file, bytes, count, offset);
}

static ssize_t crash_pwrite(struct file_operations *files, int file, const void *bytes,
                            size_t count, off_t offset)
{
    struct crash_files *crash = crash_of(files);
    ssize_t written = file_system.pwrite(&file_system, file, bytes, count, offset);
    if (written > 0 && descriptor_inode(crash, file) != 0) {
        struct crash_operation *operation = record(crash, WRITE);
        operation->inode = descriptor_inode(crash, file);
        operation->count = (size_t)written;
        operation->offset = (uint64_t)offset;
        operation->bytes = malloc(operation->count);
        memcpy(operation->bytes, bytes, operation->count);
    }
    return written;
}

static int crash_ftruncate(struct file_operations *files, int file, off_t length)
{
    struct crash_files *crash = crash_of(files);
    int outcome = file_system.ftruncate(&file_system, file, length);
    if (outcome == 0 && descriptor_inode(crash, file) != 0) {
        struct crash_operation *operation = record(crash, CUT);
        operation->inode = descriptor_inode(crash, file);
        operation->offset = (uint64_t)length;
    }
    return outcome;
}

/* Nothing is synced in fact: the record is the disk. */
static int crash_fdatasync(struct file_operations *files, int file)
{
    struct crash_files *crash = crash_of(files);
    if (descriptor_inode(crash, file) != 0)
        record(crash, SYNC)->inode = descriptor_inode(crash, file);
    return 0;
}

static int crash_fsync(struct file_operations *files, int file)
{
    char link[64], path[PATH_SIZE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    record_path(crash_of(files), SYNC_NAMES, path, NULL);
    return 0;
}

static int crash_status(struct file_operations *files, int file, struct file_status *status)
{
    (void)files;
    return file_system.status(&file_system, file, status);
}

static int record_rename(struct file_operations *files, const char *from, const char *to,
                         int outcome)
{
    if (outcome == 0) {
        record_path(crash_of(files), RENAME, from, to);
        set_name(crash_of(files), to, inode_of(crash_of(files), from));
        set_name(crash_of(files), from, 0);
    }
    return outcome;
}

static int crash_rename(struct file_operations *files, const char *from, const char *to)
{
    return record_rename(files, from, to, file_system.rename(&file_system, from, to));
}

static int crash_rename_new(struct file_operations *files, const char *from, const char *to)
{
    return record_rename(files, from, to, file_system.rename_new(&file_system, from, to));
}

static int crash_unlink(struct file_operations *files, const char *path)
{
    int outcome = file_system.unlink(&file_system, path);
    if (outcome == 0) {
        record_path(crash_of(files), UNLINK, path, NULL);
        set_name(crash_of(files), path, 0);
    }
    return outcome;
}

static int crash_mkdir(struct file_operations *files, const char *path, mode_t mode)
{
    int outcome = file_system.mkdir(&file_system, path, mode);
    if (outcome == 0)
        record_path(crash_of(files), MKDIR, path, NULL);
    return outcome;
}

static int crash_list(struct file_operations *files, const char *path, file_visit_fn *visit,
                      void *context)
{
    (void)files;
    return file_system.list(&file_system, path, visit, context);
}

void crash_files_init(struct crash_files *crash, const char *root)
{
    *crash = (struct crash_files){.root = root};
    crash->files = (struct file_operations){
        .open = crash_open,
        .close = crash_close,
        .pread = crash_pread,
        .pwrite = crash_pwrite,
        .ftruncate = crash_ftruncate,
        .fdatasync = crash_fdatasync,
        .fsync = crash_fsync,
        .status = crash_status,
        .rename = crash_rename,
        .rename_new = crash_rename_new,
        .unlink = crash_unlink,
        .mkdir = crash_mkdir,
        .list = crash_list,
    };
}

void crash_files_clean(struct crash_files *crash)
{
    for (size_t i = 0; i < crash->count; i++) {
        free(crash->operations[i].path);
        free(crash->operations[i].to);
        free(crash->operations[i].bytes);
    }
    for (size_t i = 0; i < crash->name_count; i++)
        free(crash->names[i].path);
    free(crash->names);
    free(crash->operations);
    free(crash->inodes);
}

/* ---- A disk ---- */

/* A name, as it is in memory and as it is on the disk. */
struct name {
    char *path;
    size_t now, synced; /* what it leads to; 0 = it is not there */
    bool directory;
};

struct content {
    size_t inode;
    unsigned char *bytes;
    size_t length, capacity;
};

struct model {
    struct name names[MAX_FILES];
    size_t name_count;
    struct content contents[MAX_FILES];
    size_t content_count;
};

static struct name *name_of(struct model *model, const char *path)
{
    for (size_t i = 0; i < model->name_count; i++)
        if (strcmp(model->names[i].path, path) == 0)
            return &model->names[i];
    assert_true(model->name_count < MAX_FILES);
    struct name *name = &model->names[model->name_count++];
    *name = (struct name){.path = strdup(path)};
    return name;
}

static struct content *content_of(struct model *model, size_t inode)
{
    for (size_t i = 0; i < model->content_count; i++)
        if (model->contents[i].inode == inode)
            return &model->contents[i];
    assert_true(model->content_count < MAX_FILES);
    struct content *content = &model->contents[model->content_count++];
    *content = (struct content){.inode = inode};
    return content;
}

static void set_length(struct content *content, size_t length)
{
    if (length > content->capacity) {
        content->capacity = 2 * length;
        content->bytes = realloc(content->bytes, content->capacity);
        assert_non_null(content->bytes);
    }
    if (length > content->length)
        memset(content->bytes + content->length, 0, length - content->length);
    content->length = length;
}

static void put(struct content *content, uint64_t offset, const unsigned char *bytes, size_t count)
{
    if (offset + count > content->length)
        set_length(content, (size_t)offset + count);
    if (count == 0 || !content->bytes)
        return;
    if (bytes)
        memcpy(content->bytes + offset, bytes, count);
    else
        memset(content->bytes + offset, 0, count);
}

/* Is it synced by an operation before `end`? */
static bool is_synced(const struct crash_files *crash, size_t at, size_t end)
{
    for (size_t i = at + 1; i < end; i++)
        if (crash->operations[i].kind == SYNC &&
            crash->operations[i].inode == crash->operations[at].inode)
            return true;
    return false;
}

static size_t last_write(const struct crash_files *crash, size_t operations)
{
    for (size_t i = operations; i > 0; i--)
        if (crash->operations[i - 1].kind == WRITE)
            return i - 1;
    return SIZE_MAX;
}

size_t crash_unsynced_bytes(const struct crash_files *crash, size_t operations)
{
    size_t at = last_write(crash, operations);
    return at == SIZE_MAX || is_synced(crash, at, operations) ? 0 : crash->operations[at].count;
}

static void do_write(const struct crash_files *crash, struct model *model, size_t at,
                     const struct crash_disk *disk)
{
    const struct crash_operation *write = &crash->operations[at];
    struct content *content = content_of(model, write->inode);
    bool whole = disk->loss == CRASH_LOSES_NOTHING || is_synced(crash, at, disk->operations);
    bool last = at == last_write(crash, disk->operations);
    if (whole || (disk->loss == CRASH_TEARS && !last)) {
        put(content, write->offset, write->bytes, write->count);
    } else if (disk->loss == CRASH_ZEROES) {
        put(content, write->offset, NULL, write->count);
    } else if (disk->loss == CRASH_TEARS) {
        size_t kept = disk->torn_at < write->count ? disk->torn_at : write->count;
        if (disk->torn_zeros)
            put(content, write->offset, NULL, write->count);
        put(content, write->offset, write->bytes, kept);
    }
}

static void do_cut(const struct crash_files *crash, struct model *model, size_t at,
                   const struct crash_disk *disk)
{
    const struct crash_operation *cut = &crash->operations[at];
    if (disk->loss != CRASH_DROPS || is_synced(crash, at, disk->operations))
        set_length(content_of(model, cut->inode), (size_t)cut->offset);
}

/* Is the path right inside of the directory? */
static bool is_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

static void sync_names(struct model *model, const char *directory)
{
    for (size_t i = 0; i < model->name_count; i++)
        if (is_in(model->names[i].path, directory))
            model->names[i].synced = model->names[i].now;
}

static void do_operation(const struct crash_files *crash, struct model *model, size_t at,
                         const struct crash_disk *disk)
{
    const struct crash_operation *operation = &crash->operations[at];
    switch (operation->kind) {
    case CREATE:
        name_of(model, operation->path)->now = operation->inode;
        break;
    case WRITE:
        do_write(crash, model, at, disk);
        break;
    case CUT:
        do_cut(crash, model, at, disk);
        break;
    case SYNC:
        break;
    case SYNC_NAMES:
        sync_names(model, operation->path);
        break;
    case RENAME: {
        size_t moved = name_of(model, operation->path)->now;
        name_of(model, operation->path)->now = 0;
        name_of(model, operation->to)->now = moved;
        break;
    }
    case UNLINK:
        name_of(model, operation->path)->now = 0;
        break;
    case MKDIR:
        name_of(model, operation->path)->now = SIZE_MAX;
        name_of(model, operation->path)->directory = true;
        break;
    }
}

static void write_out(struct model *model, const struct crash_disk *disk, const char *root)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < model->name_count; i++) { /* directories come before what is in them */
        const struct name *name = &model->names[i];
        size_t inode = disk->names ? name->now : name->synced;
        snprintf(path, sizeof path, "%s%s", root, name->path);
        if (inode == 0)
            continue;
        if (name->directory) {
            if (mkdir(path, 0750) != 0)
                assert_int_equal(errno, ENOENT); /* the one above is not there */
            continue;
        }
        const struct content *content = content_of(model, inode);
        FILE *file = fopen(path, "wb");
        if (!file) {
            assert_int_equal(errno, ENOENT);
            continue;
        }
        if (content->length > 0)
            assert_int_equal(fwrite(content->bytes, 1, content->length, file), content->length);
        fclose(file);
    }
}

void crash_disk_make(const struct crash_files *crash, const struct crash_disk *disk,
                     const char *root)
{
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    for (size_t i = 0; i < disk->operations; i++)
        do_operation(crash, model, i, disk);
    write_out(model, disk, root);
    for (size_t i = 0; i < model->name_count; i++)
        free(model->names[i].path);
    for (size_t i = 0; i < model->content_count; i++)
        free(model->contents[i].bytes);
    free(model);
}
