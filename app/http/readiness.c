/*
 * readiness.c - what /readyz asks: the checks that modules added before threads started. The table
 * never changes after that, so asking needs no lock.
 */
#include <stdlib.h>

#include "hearth/module.h"

enum { MAX_CHECKS = 16, WHY_SIZE = 128 };

struct check {
    const char *name;
    readiness_fn *function;
    void *context;
};

struct readiness {
    struct check checks[MAX_CHECKS];
    size_t count;
};

struct readiness *readiness_new(void)
{
    return calloc(1, sizeof(struct readiness));
}

void readiness_free(struct readiness *readiness)
{
    free(readiness);
}

void readiness_add(struct readiness *readiness, const char *name, readiness_fn *check,
                   void *context)
{
    if (readiness && readiness->count < MAX_CHECKS)
        readiness->checks[readiness->count++] = (struct check){name, check, context};
}

bool readiness_check(struct readiness *readiness,
                     void (*visit)(void *visit_context, const char *name, bool ready,
                                   const char *why),
                     void *visit_context)
{
    bool all = true;
    for (size_t i = 0; readiness && i < readiness->count; i++) {
        const struct check *check = &readiness->checks[i];
        char why[WHY_SIZE] = "";
        bool ready = check->function(check->context, why, sizeof why);
        if (visit)
            visit(visit_context, check->name, ready, ready ? "" : why);
        all = all && ready;
    }
    return all;
}
