/*
 * arena.c - memory that lives as long as a request.
 *
 * Small allocations are cut upwards out of the current block; when it is used up, a block twice as
 * large becomes the current one. An allocation that is large beside a block gets a block of its own
 * and leaves the current one in use. The first block is kept over a reset, so that a thread that
 * serves one small request after the other never calls malloc. The cap counts all that was asked
 * of malloc, the blocks' heads included.
 *
 * Under AddressSanitizer everything not handed out is poisoned, and a gap lies between allocations,
 * so that a write beyond one of them is seen.
 */
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "app/core/memory.h"
#include "hearth/base.h"

#ifdef __SANITIZE_ADDRESS__
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(address, size)   ASAN_POISON_MEMORY_REGION(address, size)
#define UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#else
#define POISON(address, size)   ((void)(address), (void)(size))
#define UNPOISON(address, size) ((void)(address), (void)(size))
#endif

enum {
    ALIGNMENT = 16,
#ifdef ARENA_ASAN
    GAP_BYTES = 16,
#else
    GAP_BYTES = 0,
#endif
    FIRST_BLOCK_BYTES = 16 * 1024,     /* holds a small request with its held-back answer */
    LARGEST_BLOCK_BYTES = 1024 * 1024, /* where doubling ends */
    LARGE_PART = 4, /* an allocation above a quarter of the next block gets its own */
};

struct block {
    alignas(ALIGNMENT) struct block *next;
    size_t size_bytes; /* head included */
    size_t used_bytes; /* head included */
};

/* A gap before a block's first piece, too. */
enum { BLOCK_HEAD_BYTES = sizeof(struct block) + GAP_BYTES };

struct cleanup {
    struct cleanup *next;
    arena_cleanup_fn *function;
    void *context;
};

struct arena {
    size_t max_bytes;
    size_t held_bytes;       /* sum of size_bytes */
    size_t next_block_bytes; /* what the next shared block takes, if the cap lets it */
    struct block *first;     /* kept over a reset */
    struct block *current;   /* where small allocations are cut from */
    struct block *others;    /* all but the first */
    struct cleanup *cleanups;
};

struct arena *arena_new(size_t max_bytes)
{
    struct arena *arena = memory_new(sizeof *arena);
    if (arena)
        *arena = (struct arena){.max_bytes = max_bytes, .next_block_bytes = FIRST_BLOCK_BYTES};
    return arena;
}

static void run_cleanups(struct arena *arena)
{
    /* A hook may allocate, and even add a hook: the list is read anew each time. */
    while (arena->cleanups) {
        struct cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->next;
        cleanup->function(cleanup->context);
    }
}

static void block_free(struct block *block)
{
    UNPOISON(block, block->size_bytes);
    memory_free(block);
}

static void free_others(struct arena *arena)
{
    while (arena->others) {
        struct block *block = arena->others;
        arena->others = block->next;
        arena->held_bytes -= block->size_bytes;
        block_free(block);
    }
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    run_cleanups(arena);
    free_others(arena);
    if (arena->first)
        block_free(arena->first);
    memory_free(arena);
}

void arena_reset(struct arena *arena)
{
    run_cleanups(arena);
    free_others(arena);
    arena->next_block_bytes = FIRST_BLOCK_BYTES;
    arena->current = arena->first;
    if (arena->first) {
        arena->next_block_bytes *= 2;
        arena->first->used_bytes = BLOCK_HEAD_BYTES;
        POISON(arena->first + 1, arena->first->size_bytes - sizeof(struct block));
    }
}

/* A new block of `size_bytes`, or of what the cap leaves if that is still `least_bytes`. */
static struct block *block_new(struct arena *arena, size_t size_bytes, size_t least_bytes)
{
    size_t left_bytes = arena->max_bytes - arena->held_bytes;
    if (size_bytes > left_bytes)
        size_bytes = left_bytes;
    if (size_bytes < least_bytes)
        return NULL;
    struct block *block = memory_new(size_bytes);
    if (!block)
        return NULL;
    *block = (struct block){.size_bytes = size_bytes, .used_bytes = BLOCK_HEAD_BYTES};
    arena->held_bytes += size_bytes;
    POISON(block + 1, size_bytes - sizeof *block);
    return block;
}

static bool block_has_room(const struct block *block, size_t size)
{
    return block && block->size_bytes - block->used_bytes >= size;
}

/* The block to cut `size` bytes (rounded already) out of. */
static struct block *block_for(struct arena *arena, size_t size)
{
    if (block_has_room(arena->current, size))
        return arena->current;
    size_t least_bytes = BLOCK_HEAD_BYTES + size;
    bool large = size > arena->next_block_bytes / LARGE_PART;
    struct block *block =
        block_new(arena, large ? least_bytes : arena->next_block_bytes, least_bytes);
    if (!block)
        return NULL;
    if (!large) {
        arena->current = block;
        if (arena->next_block_bytes < LARGEST_BLOCK_BYTES)
            arena->next_block_bytes *= 2;
    }
    if (!large && !arena->first) {
        arena->first = block;
    } else {
        block->next = arena->others;
        arena->others = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->max_bytes || size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t taken = (rounded ? rounded : ALIGNMENT) + GAP_BYTES;
    struct block *block = block_for(arena, taken);
    if (!block)
        return NULL;
    char *memory = (char *)block + block->used_bytes;
    block->used_bytes += taken;
    UNPOISON(memory, size);
    return memory;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    return memory ? memset(memory, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_alloc_zero(arena, count * size);
}

struct view arena_copy(struct arena *arena, struct view text)
{
    if (text.length == SIZE_MAX)
        return VIEW_NONE;
    char *copy = arena_alloc(arena, text.length + 1);
    if (!copy)
        return VIEW_NONE;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return (struct view){copy, text.length};
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    char small[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    char *text = arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    if ((size_t)length < sizeof small)
        return memcpy(text, small, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

enum hearth_error arena_on_reset(struct arena *arena, arena_cleanup_fn *cleanup, void *context)
{
    struct cleanup *added = arena_alloc(arena, sizeof *added);
    if (!added)
        return HEARTH_NO_MEMORY;
    *added = (struct cleanup){arena->cleanups, cleanup, context};
    arena->cleanups = added;
    return HEARTH_OK;
}

size_t arena_used(const struct arena *arena)
{
    return arena->held_bytes;
}
