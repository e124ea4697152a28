/*
 * series_book.c - the current names of one process.
 *
 * Who asks looks, at most every two seconds, whether another file stands under the name, or the
 * same one was written to. A file's stamp says so only once it is settled (app/store/content.h):
 * until then the file is read again. One mutex guards it all; reading the file takes less than a
 * millisecond and happens once a change.
 */
#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/series/series_names_internal.h"

#include "app/store/content.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_EVERY_NS INT64_C(2000000000)

struct series_book {
    const struct clock *clock;
    int64_t default_stale_ms;
    pthread_mutex_t lock;       /* guards all below */
    struct series_names *names; /* NULL until the first one could be made */
    bool looked;                /* since it was made */
    int64_t looked_ns;          /* monotonic */
    struct content_stamp stamp; /* of the file looked at last; inode 0 = there was none */
    bool settled;               /* an equal stamp means equal content */
    bool complained;            /* of this file */
    char path[SERIES_PATH_BYTES];
};

struct series_book *series_book_new(const char *store, int64_t default_stale_ms,
                                    const struct clock *clock)
{
    struct series_book *book = memory_new_zero(1, sizeof *book);
    if (!book)
        return NULL;
    book->clock = clock;
    book->default_stale_ms = default_stale_ms;
    if (series_names_path(store, book->path) && pthread_mutex_init(&book->lock, NULL) == 0)
        return book;
    memory_free(book);
    return NULL;
}

void series_book_free(struct series_book *book)
{
    if (!book)
        return;
    series_names_free(book->names);
    pthread_mutex_destroy(&book->lock);
    memory_free(book);
}

/* Is it another file, or other content, than at the last look? */
static bool has_changed(struct series_book *book)
{
    struct content_stamp stamp = {0};
    int file = open(book->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool known = file >= 0 ? content_stamp_read(file, &stamp) : errno == ENOENT;
    if (file >= 0)
        close(file);
    if (!known)
        stamp = (struct content_stamp){.inode = UINT64_MAX};
    if (book->names && book->settled && content_stamp_equal(&stamp, &book->stamp))
        return false;
    if (!content_stamp_equal(&stamp, &book->stamp))
        book->complained = false;
    book->settled = stamp.inode == 0 || !known || content_stamp_unsettled_ms(&stamp) == 0;
    book->stamp = stamp;
    return true;
}

static void complain(struct series_book *book, const struct error_record *error)
{
    if (book->complained)
        return;
    book->complained = true;
    LOG_ERROR("series_names_wrong", LOG_TEXT("file", book->path), LOG_TEXT("detail", error->detail),
              LOG_TEXT("error", error_name(error->code)));
}

static void look(struct series_book *book)
{
    struct error_record error = {0};
    struct series_names *names = NULL;
    struct buffer text;
    buffer_init(&text, SERIES_FILE_BYTES + 1);
    if (series_names_read_file(book->path, &text, &error) == HEARTH_OK)
        names = series_names_parse(buffer_view(&text), book->default_stale_ms, &error);
    buffer_clean(&text);
    if (!names)
        complain(book, &error);
    if (!names && error.code != HEARTH_CORRUPT)
        book->settled = false; /* what stood in the way may pass without a change of the file */
    if (!names && !book->names)
        names = series_names_parse(VIEW_NONE, book->default_stale_ms, NULL);
    if (!names)
        return;
    series_names_free(book->names);
    book->names = names;
}

struct series_names *series_book_get(struct series_book *book)
{
    struct series_names *names = NULL;
    pthread_mutex_lock(&book->lock);
    int64_t now_ns = clock_monotonic_ns(book->clock);
    if (!book->names || !book->looked || now_ns - book->looked_ns >= LOOK_EVERY_NS) {
        book->looked = true;
        book->looked_ns = now_ns;
        if (has_changed(book))
            look(book);
    }
    if (book->names)
        names = series_names_keep(book->names);
    pthread_mutex_unlock(&book->lock);
    return names;
}
