/*
 * test_arena.c - the arena against a model: pieces that must not touch each other, a cap, memory
 * that runs out, hooks.
 */
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "tests/unit/support.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

enum { PIECES = 2000 };

static uint64_t random_bits = 88172645463325252u;

static size_t random_below(size_t limit)
{
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 7;
    random_bits ^= random_bits << 17;
    return (size_t)(random_bits % limit);
}

/* Small ones mostly, as requests make them; now and then a large one. */
static size_t random_size(void)
{
    size_t kind = random_below(100);
    if (kind < 80)
        return random_below(200);
    return kind < 98 ? random_below(5000) : random_below(200000);
}

static void an_idle_arena_holds_no_block(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000000);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 1));
    assert_in_range(arena_used(arena), 8 * 1024, 16 * 1024);
    arena_free(arena);
    arena_free(NULL);
}

static void pieces_are_aligned_and_do_not_touch(void **state)
{
    (void)state;
    static struct {
        unsigned char *data;
        size_t size;
    } pieces[PIECES];
    struct arena *arena = arena_new(64u << 20);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < PIECES; i++) {
            pieces[i].size = random_size();
            pieces[i].data = arena_alloc(arena, pieces[i].size);
            assert_non_null(pieces[i].data);
            assert_int_equal((uintptr_t)pieces[i].data % 16, 0);
            memset(pieces[i].data, (int)(i % 251), pieces[i].size);
        }
        for (size_t i = 0; i < PIECES; i++)
            for (size_t k = 0; k < pieces[i].size; k++)
                if (pieces[i].data[k] != i % 251)
                    fail_msg("piece %zu of %zu bytes was written over", i, pieces[i].size);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void an_empty_piece_has_an_address_of_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_new(100000);
    char *a = arena_alloc(arena, 0), *b = arena_alloc(arena, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    arena_free(arena);
}

static void what_is_held_never_passes_the_cap(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t max_bytes = random_below(300000), refused = 0;
        struct arena *arena = arena_new(max_bytes);
        while (refused < 20) {
            size_t size = random_size();
            char *memory = arena_alloc(arena, size);
            if (memory)
                memset(memory, 1, size);
            else
                refused++;
            assert_true(arena_used(arena) <= max_bytes);
        }
        arena_free(arena);
    }
}

static void the_last_bytes_below_the_cap_can_be_had(void **state)
{
    (void)state;
    enum { CAP = 100000, SMALL = 64 };
    struct arena *arena = arena_new(CAP);
    size_t pieces = 0;
    while (arena_alloc(arena, SMALL))
        pieces++;
    /* Blocks double, the last one takes what is left: nearly all of the cap was of use. */
    assert_true(CAP - arena_used(arena) < 2 * SMALL + 64);
    size_t piece_bytes = SMALL;
#ifdef __SANITIZE_ADDRESS__
    piece_bytes += 16; /* the gap */
#endif
    assert_true(pieces * piece_bytes > CAP - CAP / 20);
    arena_free(arena);
}

static void one_piece_can_have_nearly_the_whole_cap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(100000);
    assert_null(arena_alloc(arena, 100000));
    assert_non_null(arena_alloc(arena, 100000 - 64));
    assert_null(arena_alloc(arena, 64));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 64));
    arena_free(arena);
}

static void a_refusal_leaves_the_arena_usable(void **state)
{
    (void)state;
    struct arena *arena = arena_new(20000);
    assert_null(arena_alloc(arena, 30000));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 15));
    assert_non_null(arena_alloc(arena, 100));
    arena_free(arena);
    arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 31));
    assert_non_null(arena_alloc(arena, 100));
    arena_free(arena);
}

static void an_arena_of_nothing_gives_nothing(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_null(arena_alloc(arena, 0));
    assert_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void arrays_are_zeroed_and_checked_for_overflow(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000000);
    memset(arena_alloc(arena, 5000), 0xFF, 5000);
    arena_reset(arena);
    const unsigned char *array = arena_array(arena, 100, 50);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(array[i], 0);
    assert_null(arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(arena, 3, SIZE_MAX / 2));
    assert_null(arena_array(arena, (size_t)1 << 32, (size_t)1 << 32));
    assert_non_null(arena_array(arena, SIZE_MAX, 0));
    assert_non_null(arena_array(arena, 0, SIZE_MAX));
    arena_free(arena);
}

static void a_copy_is_terminated(void **state)
{
    (void)state;
    struct arena *arena = arena_new(30000);
    struct view copy = arena_copy(arena, view_from("hearthside", 6));
    assert_int_equal(copy.length, 6);
    assert_string_equal(copy.data, "hearth");
    copy = arena_copy(arena, VIEW_NONE);
    assert_int_equal(copy.length, 0);
    assert_string_equal(copy.data, "");
    char large[40000] = {0};
    copy = arena_copy(arena, view_from(large, sizeof large));
    assert_null(copy.data);
    assert_int_equal(copy.length, 0);
    arena_free(arena);
}

static void short_and_long_texts_are_formatted(void **state)
{
    (void)state;
    struct arena *arena = arena_new(30000);
    assert_string_equal(arena_format(arena, "%s-%d", "a", 7), "a-7");
    assert_string_equal(arena_format(arena, "%s", ""), "");
    for (int length = 250; length < 260; length++) {
        const char *text = arena_format(arena, "%0*d", length, 7);
        assert_int_equal(strlen(text), length);
        assert_int_equal(text[length - 1], '7');
    }
    assert_null(arena_format(arena, "%0*d", 40000, 7));
    arena_free(arena);
}

/* ---- Reset ---- */

static void a_reset_keeps_the_first_block(void **state)
{
    (void)state;
    struct arena *arena = arena_new(10000000);
    void *first = arena_alloc(arena, 100);
    size_t held_bytes = arena_used(arena);
    for (int i = 0; i < 1000; i++)
        assert_non_null(arena_alloc(arena, 1000));
    assert_non_null(arena_alloc(arena, 500000));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), held_bytes);
    /* The next request finds its memory without malloc. */
    memory_fail_after(0);
    assert_ptr_equal(arena_alloc(arena, 100), first);
    assert_non_null(arena_alloc(arena, 10000));
    memory_fail_after(-1);
    arena_free(arena);
}

/* ---- Memory that runs out ---- */

static void running_out_of_memory_is_null_and_passes(void **state)
{
    (void)state;
    memory_fail_after(0);
    assert_null(arena_new(1000));
    memory_fail_after(1);
    struct arena *arena = arena_new(1000000);
    assert_non_null(arena);
    assert_null(arena_alloc(arena, 10));
    assert_null(arena_alloc(arena, 100000));
    assert_null(arena_copy(arena, VIEW("x")).data);
    assert_null(arena_format(arena, "x"));
    assert_int_equal(arena_on_reset(arena, free, NULL), HEARTH_NO_MEMORY);
    assert_int_equal(arena_used(arena), 0);
    memory_fail_after(-1);
    assert_non_null(arena_alloc(arena, 10));
    arena_free(arena);
}

static void a_full_block_is_no_loss_when_the_next_fails(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000000);
    char *kept = arena_alloc(arena, 100);
    memset(kept, 'k', 100);
    memory_fail_after(0);
    while (arena_alloc(arena, 1000))
        continue;
    memory_fail_after(-1);
    assert_non_null(arena_alloc(arena, 1000));
    for (int i = 0; i < 100; i++)
        assert_int_equal(kept[i], 'k');
    arena_free(arena);
}

/* ---- Hooks ---- */

static char order[16];

static void note(void *letter)
{
    size_t length = strlen(order);
    assert_true(length + 1 < sizeof order);
    order[length] = *(char *)letter;
    order[length + 1] = '\0';
}

static void hooks_run_last_in_first_out(void **state)
{
    (void)state;
    static char a = 'a', b = 'b', c = 'c';
    struct arena *arena = arena_new(100000);
    order[0] = '\0';
    assert_int_equal(arena_on_reset(arena, note, &a), HEARTH_OK);
    assert_int_equal(arena_on_reset(arena, note, &b), HEARTH_OK);
    arena_reset(arena);
    assert_string_equal(order, "ba");
    /* Once only. */
    arena_reset(arena);
    assert_string_equal(order, "ba");
    assert_int_equal(arena_on_reset(arena, note, &c), HEARTH_OK);
    arena_free(arena);
    assert_string_equal(order, "bac");
}

struct chain {
    struct arena *arena;
    int left;
};

static void hang_on(void *context)
{
    struct chain *chain = context;
    /* Memory of the arena is still good in a hook, and may still be asked for. */
    memset(arena_alloc(chain->arena, 5000), 1, 5000);
    if (chain->left-- > 0)
        assert_int_equal(arena_on_reset(chain->arena, hang_on, chain), HEARTH_OK);
}

static void a_hook_may_use_the_arena(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000000);
    struct chain *chain = arena_alloc(arena, sizeof *chain);
    *chain = (struct chain){arena, 10};
    assert_int_equal(arena_on_reset(arena, hang_on, chain), HEARTH_OK);
    arena_free(arena);
}

static void a_hook_that_is_refused_is_not_run(void **state)
{
    (void)state;
    static char x = 'x';
    struct arena *arena = arena_new(10);
    order[0] = '\0';
    assert_int_equal(arena_on_reset(arena, note, &x), HEARTH_NO_MEMORY);
    arena_free(arena);
    assert_string_equal(order, "");
}

#ifdef __SANITIZE_ADDRESS__
/* ---- The sanitizer sees what is not handed out ---- */

static void bytes_beyond_a_piece_are_poisoned(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000000);
    for (size_t size = 0; size < 5000; size = size * 3 / 2 + 1) {
        char *memory = arena_alloc(arena, size);
        if (size > 0)
            assert_null(__asan_region_is_poisoned(memory, size));
        assert_true(__asan_address_is_poisoned(memory + size));
        assert_true(__asan_address_is_poisoned(memory - 1));
    }
    char *gone = arena_alloc(arena, 32);
    arena_reset(arena);
    assert_true(__asan_address_is_poisoned(gone));
    arena_free(arena);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_arena_holds_no_block),
        cmocka_unit_test(pieces_are_aligned_and_do_not_touch),
        cmocka_unit_test(an_empty_piece_has_an_address_of_its_own),
        cmocka_unit_test(what_is_held_never_passes_the_cap),
        cmocka_unit_test(the_last_bytes_below_the_cap_can_be_had),
        cmocka_unit_test(one_piece_can_have_nearly_the_whole_cap),
        cmocka_unit_test(a_refusal_leaves_the_arena_usable),
        cmocka_unit_test(an_arena_of_nothing_gives_nothing),
        cmocka_unit_test(arrays_are_zeroed_and_checked_for_overflow),
        cmocka_unit_test(a_copy_is_terminated),
        cmocka_unit_test(short_and_long_texts_are_formatted),
        cmocka_unit_test(a_reset_keeps_the_first_block),
        cmocka_unit_test(running_out_of_memory_is_null_and_passes),
        cmocka_unit_test(a_full_block_is_no_loss_when_the_next_fails),
        cmocka_unit_test(hooks_run_last_in_first_out),
        cmocka_unit_test(a_hook_may_use_the_arena),
        cmocka_unit_test(a_hook_that_is_refused_is_not_run),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(bytes_beyond_a_piece_are_poisoned),
#endif
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
