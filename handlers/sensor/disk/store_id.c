/*
 * store_id.c - which store this is. The file is written beside its place and renamed, so that it is
 * whole or not there: what cannot be read is damage, and is not replaced by another id in silence.
 */
#include "handlers/sensor/disk/store_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { TEXT_BYTES = 2 * STORE_ID_BYTES + 1, PATH_BYTES = 2048 + 32 };

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool parse(const char text[TEXT_BYTES], unsigned char id[STORE_ID_BYTES])
{
    for (size_t i = 0; i < STORE_ID_BYTES; i++) {
        int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id[i] = (unsigned char)(high << 4 | low);
    }
    return text[TEXT_BYTES - 1] == '\n';
}

static void format(const unsigned char id[STORE_ID_BYTES], char text[TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < STORE_ID_BYTES; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    text[TEXT_BYTES - 1] = '\n';
}

/* NOT_FOUND: there is none. */
static enum hearth_error read_id(struct file_operations *files, const char *path,
                                 unsigned char id[STORE_ID_BYTES], struct error_record *error)
{
    char text[TEXT_BYTES + 1];
    size_t got = 0;
    int file = file_open(files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_read_all(files, file, path, text, sizeof text, 0, &got, error);
    file_close(files, file);
    if (code == HEARTH_OK && (got != TEXT_BYTES || !parse(text, id)))
        code = error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "%s is not 32 hexadecimal digits; put the right one back, or "
                                  "remove it for another",
                                  path);
    return code;
}

static enum hearth_error write_id(struct file_operations *files, const char *store,
                                  const char *path, const unsigned char id[STORE_ID_BYTES],
                                  struct error_record *error)
{
    char text[TEXT_BYTES], beside[PATH_BYTES];
    size_t written;
    snprintf(beside, sizeof beside, "%.2047s/store.id.new", store);
    format(id, text);
    int file = file_open(files, beside, O_RDWR | O_CREAT | O_TRUNC, 0640, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code =
        file_write_all(files, file, beside, text, sizeof text, 0, &written, error);
    if (code == HEARTH_OK)
        code = file_sync(files, file, beside, error);
    file_close(files, file);
    if (code == HEARTH_OK)
        code = file_rename(files, beside, path, error);
    if (code == HEARTH_OK)
        code = file_sync_directory(files, store, error);
    return code;
}

/* Fits file_visit_fn: something is in the directory. */
static bool see_any(void *context, const char *name)
{
    (void)name;
    *(bool *)context = true;
    return false;
}

/* Does anything stand there that came after the id? */
static enum hearth_error is_needed(struct file_operations *files, const char *store, bool *needed,
                                   struct error_record *error)
{
    static const char *const directories[] = {"manifest", "sealed", "suspect"};
    char path[PATH_BYTES];
    enum hearth_error code = HEARTH_OK;
    *needed = false;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0] && !*needed; i++) {
        snprintf(path, sizeof path, "%.2047s/%s", store, directories[i]);
        code = file_list(files, path, see_any, needed, error);
        if (code != HEARTH_OK && code != HEARTH_NOT_FOUND)
            return code;
    }
    return HEARTH_OK;
}

static enum hearth_error require_none_needed(struct file_operations *files, const char *store,
                                             struct error_record *error)
{
    bool needed;
    enum hearth_error code = is_needed(files, store, &needed, error);
    if (code != HEARTH_OK || !needed)
        return code;
    return error_set_internal(
        error, HEARTH_CORRUPT, 0,
        "store.id is missing, and the manifest follows it: put it back from a "
        "backup of this store, or move sealed/, suspect/ and manifest/ out of "
        "the store and `hearth import` their .bin files");
}

enum hearth_error store_id_look(struct file_operations *files, const char *store,
                                struct error_record *error)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.2047s/store.id", store);
    int file = file_open(files, path, O_RDONLY, 0, error);
    enum hearth_error code = file < 0 ? error_from_errno(errno) : HEARTH_OK;
    file_close(files, file);
    if (code != HEARTH_NOT_FOUND)
        return code;
    enum hearth_error missing = require_none_needed(files, store, error);
    return missing == HEARTH_OK ? code : missing;
}

enum hearth_error store_id_open(struct file_operations *files, const char *store,
                                const unsigned char *known, unsigned char id[STORE_ID_BYTES],
                                struct error_record *error)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.2047s/store.id", store);
    enum hearth_error code = read_id(files, path, id, error);
    if (code != HEARTH_NOT_FOUND)
        return code;
    if (!known && (code = require_none_needed(files, store, error)) != HEARTH_OK)
        return code;
    if (known)
        memcpy(id, known, STORE_ID_BYTES);
    else if (getrandom(id, STORE_ID_BYTES, 0) != STORE_ID_BYTES)
        return error_set_internal(error, HEARTH_IO, errno, "no random bytes for %s", path);
    return write_id(files, store, path, id, error);
}
