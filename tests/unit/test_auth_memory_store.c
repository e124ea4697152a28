/*
 * test_auth_memory_store.c - the object store in memory that the tests of tokens rely on keeps the
 * rules of every object store.
 */
#include "object_store_suite.h"
#include "support_memory_store.h"

static struct object_store *open_memory(void *context)
{
    struct memory_store *memory = context;
    return &memory->store;
}

static void empty_memory(void *context)
{
    struct memory_store *memory = context;
    memory_store_clean(memory);
    memory_store_init(memory);
}

int main(void)
{
    struct memory_store memory;
    memory_store_init(&memory);
    const struct object_store_suite suite = {
        .name = "in memory", .context = &memory, .open = open_memory, .empty = empty_memory};
    int failed = object_store_suite_run(&suite);
    memory_store_clean(&memory);
    return failed;
}
