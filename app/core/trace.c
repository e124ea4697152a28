/*
 * trace.c - W3C Trace Context level 1: `traceparent`, and where ids come from.
 *
 *     version "-" trace-id (32) "-" parent-id (16) "-" flags (2)      lower-case hex throughout
 *
 * Ids are drawn from xoshiro256** (Blackman and Vigna), one state a thread, seeded by getrandom. A
 * forked child counts one generation more than its parent, which makes its threads seed anew. Ids
 * are unique, not secret.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "hearth/telemetry.h"

enum { FLAG_SAMPLED = 1 };

/* ---- Random numbers ---- */

struct random_state {
    uint64_t words[4];
    unsigned generation; /* in which it was seeded; 0 = never */
};

static _Thread_local struct random_state random_state;
static atomic_uint generation = 1;
static pthread_once_t watch_forks_once = PTHREAD_ONCE_INIT;

static void begin_generation(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, begin_generation);
}

/* splitmix64: spreads a weak seed over 64 bits. */
static uint64_t spread(uint64_t *seed)
{
    uint64_t mixed = *seed += 0x9E3779B97F4A7C15;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return mixed ^ mixed >> 31;
}

/* A kernel without randomness is no reason to stop: time, process and thread make ids unique too.
 */
static void seed_weakly(struct random_state *state)
{
    uint64_t seed = (uint64_t)clock_monotonic_ns(&clock_system) ^
                    (uint64_t)clock_wall_ms(&clock_system) << 20 ^ (uint64_t)getpid() << 40 ^
                    (uint64_t)(uintptr_t)state;
    for (size_t i = 0; i < 4; i++)
        state->words[i] = spread(&seed);
}

static void seed(struct random_state *state, unsigned current)
{
    static const struct random_state zero;
    ssize_t got = getrandom(state->words, sizeof state->words, 0);
    /* xoshiro never leaves the all-zero state. */
    if (got != (ssize_t)sizeof state->words ||
        memcmp(state->words, zero.words, sizeof zero.words) == 0)
        seed_weakly(state);
    state->generation = current;
}

static uint64_t rotated(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static uint64_t random_word(void)
{
    struct random_state *state = &random_state;
    pthread_once(&watch_forks_once, watch_forks);
    unsigned current = atomic_load_explicit(&generation, memory_order_relaxed);
    if (state->generation != current)
        seed(state, current);
    uint64_t *words = state->words;
    uint64_t result = rotated(words[1] * 5, 7) * 9, shifted = words[1] << 17;
    words[2] ^= words[0];
    words[3] ^= words[1];
    words[1] ^= words[2];
    words[0] ^= words[3];
    words[2] ^= shifted;
    words[3] = rotated(words[3], 45);
    return result;
}

/* ---- Ids ---- */

/* 16 hex digits, no NUL. */
static void put_hex(char *to, uint64_t word)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        to[i] = digits[word & 15];
        word >>= 4;
    }
}

void trace_random_id(char text[17])
{
    uint64_t word;
    do
        word = random_word();
    while (word == 0); /* all zero is no id */
    put_hex(text, word);
    text[16] = '\0';
}

static void start_trace(struct trace_context *trace)
{
    trace_random_id(trace->trace_id);
    put_hex(trace->trace_id + 16, random_word());
    trace->trace_id[32] = '\0';
    trace->parent_id[0] = '\0';
    trace->sampled = true; /* every request of ours is in the log under this id */
}

/* ---- traceparent ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool all_hex(struct view text)
{
    for (size_t i = 0; i < text.length; i++)
        if (hex_digit(text.data[i]) < 0)
            return false;
    return true;
}

static bool id_valid(struct view id)
{
    bool zero = true;
    for (size_t i = 0; i < id.length; i++)
        zero = zero && id.data[i] == '0';
    return all_hex(id) && !zero;
}

/* The length is fixed for version 00; a later one may go on behind another dash. */
static bool length_fits(struct view header, struct view version)
{
    size_t length = TRACE_HEADER_SIZE - 1;
    if (header.length == length)
        return true;
    return header.length > length && header.data[length] == '-' && !view_equal(version, VIEW("00"));
}

static bool continue_trace(struct trace_context *trace, struct view header)
{
    struct view version = view_slice(header, 0, 2), trace_id = view_slice(header, 3, 32),
                parent_id = view_slice(header, 36, 16), flags = view_slice(header, 53, 2);
    if (!length_fits(header, version) || header.data[2] != '-' || header.data[35] != '-' ||
        header.data[52] != '-')
        return false;
    if (!all_hex(version) || view_equal(version, VIEW("ff")) || !id_valid(trace_id) ||
        !id_valid(parent_id) || !all_hex(flags))
        return false;
    memcpy(trace->trace_id, trace_id.data, 32);
    trace->trace_id[32] = '\0';
    memcpy(trace->parent_id, parent_id.data, 16);
    trace->parent_id[16] = '\0';
    trace->sampled = hex_digit(flags.data[1]) & FLAG_SAMPLED;
    return true;
}

bool trace_begin(struct trace_context *trace, struct view traceparent)
{
    bool continued = continue_trace(trace, traceparent);
    if (!continued)
        start_trace(trace);
    trace_random_id(trace->span_id);
    return continued;
}

void trace_format(const struct trace_context *trace, char text[TRACE_HEADER_SIZE])
{
    /* The lengths are fixed, and every traced answer comes by here: no printf. */
    static const char form[TRACE_HEADER_SIZE] =
        "00-00000000000000000000000000000000-0000000000000000-00";
    memcpy(text, form, sizeof form);
    memcpy(text + 3, trace->trace_id, sizeof trace->trace_id - 1);
    memcpy(text + 36, trace->span_id, sizeof trace->span_id - 1);
    text[54] = trace->sampled ? '1' : '0';
}
