/*
 * reading_store_suite.h - what every reading store must do, written against the function table.
 *
 * A test program describes its store and gives the stories to cmocka:
 *
 *     static const struct reading_store_suite suite = {make, open, clean, true};
 *     int main(void) { return reading_store_suite_run("embedded reading store", &suite); }
 */
#ifndef TESTS_READING_STORE_SUITE_H
#define TESTS_READING_STORE_SUITE_H

#include "support.h"

#include "hearth/reading_store.h"

struct reading_store_suite {
    void *(*make)(void);                          /* new, empty storage, one a story */
    struct reading_store *(*open)(void *storage); /* also again, after the store was freed */
    void (*clean)(void *storage);                 /* after the last store on it was freed */
    bool reopens;                                 /* what was stored outlives the store */
};

int reading_store_suite_run(const char *name, const struct reading_store_suite *suite);

/* ---- For the suite's own files ---- */

struct suite_store {
    void *storage;
    struct reading_store *store;
};
int suite_setup(void **state);
int suite_teardown(void **state);
/* Frees the store and opens it again. */
void suite_reopen(struct suite_store *suite);

/* Small and repeatable. */
struct suite_random {
    uint64_t state;
};
uint64_t suite_random(struct suite_random *random);
struct reading suite_random_reading(struct suite_random *random);
struct record suite_record(const struct reading *reading);
/* A plain reading of that second on channel 1..8. */
struct record suite_number(int number);

struct append_result suite_append(struct suite_store *suite, const struct record *records,
                                  size_t count);
struct suite_list {
    struct record *records;
    size_t count;
};
/* What a range gives, checked to be ascending and without duplicates; free with suite_list_clean.
 */
void suite_range(struct suite_store *suite, const struct reading_range *range,
                 struct suite_list *list);
void suite_everything(struct suite_store *suite, struct suite_list *list);
void suite_list_clean(struct suite_list *list);

/* Seals; false when this engine does not. */
bool suite_seal(struct suite_store *suite);
struct store_state suite_state(struct suite_store *suite);

/* Stories of reading_store_seal_suite.c, reading_store_model_suite.c and
 * reading_store_threads_suite.c. */
void who_follows_gets_what_arrives_in_its_order(void **state);
void who_follows_misses_nothing_across_a_seal(void **state);
void a_cursor_that_leads_nowhere_is_reset(void **state);
void sealing_changes_nothing_that_is_read(void **state);
void a_sealed_reading_sent_again_is_a_duplicate(void **state);
void buckets_hold_their_readings_and_what_is_held_into_them(void **state);
void buckets_are_the_same_live_and_sealed(void **state);
void a_naive_model_agrees(void **state);
void writers_and_readers_at_once_agree(void **state);
void the_same_readings_from_all_sides_are_stored_once(void **state);

#endif
