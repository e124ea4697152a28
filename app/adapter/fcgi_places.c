/*
 * fcgi_places.c - one atomic number. It never exceeds the limit, not even while somebody turns
 * round: that would refuse others who have a place.
 */
#include "app/adapter/fcgi_places.h"

size_t fcgi_places_reserve(size_t threads)
{
    return threads < 8 ? 1 : threads / 4;
}

void fcgi_places_init(struct fcgi_places *places, size_t threads)
{
    const size_t reserve = fcgi_places_reserve(threads);
    atomic_init(&places->taken, 0);
    places->limit = threads > reserve ? (int)(threads - reserve) : 1;
}

bool fcgi_places_take(struct fcgi_places *places)
{
    if (!places) {
        return true;
    }
    int taken = atomic_load(&places->taken);
    while (taken < places->limit) {
        if (atomic_compare_exchange_weak(&places->taken, &taken, taken + 1)) {
            return true;
        }
    }
    return false;
}

void fcgi_places_give_back(struct fcgi_places *places)
{
    if (places) {
        atomic_fetch_sub(&places->taken, 1);
    }
}

bool fcgi_places_all_taken(struct fcgi_places *places)
{
    return places && atomic_load(&places->taken) >= places->limit;
}
