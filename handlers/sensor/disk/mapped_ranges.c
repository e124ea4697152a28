/*
 * mapped_ranges.c - a table of mapped ranges that a signal handler may read.
 *
 * The handler looks at all places that were ever used: faults are rare, and a table without order
 * needs no lock. A place is changed under a mutex, by threads alone; the range that a fault lies in
 * is being read, so that its place does not change meanwhile. Others may, and what is read of them
 * half changed holds no address of a live range. The mark is set before the page of zeros can be
 * seen, by this thread or another.
 */
#include "handlers/sensor/disk/mapped_ranges.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RANGES_MAX = 65536 }; /* vm.max_map_count is 65,530 */

#define DAMAGED (UINT64_C(1) << 63)

/* The call itself: a library's mmap may do more than a signal handler should, and a sanitizer takes
 * it for a write. */
#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2
#else
#define MAP_CALL SYS_mmap
#endif

struct mapped_range {
    _Atomic uintptr_t begin; /* of a free place: the next free one */
    _Atomic uint64_t extent; /* bytes, and DAMAGED; 0 = free */
};

static struct mapped_range ranges[RANGES_MAX];
static _Atomic uint32_t used; /* places that were ever used */
static _Atomic uint64_t faults;
static uintptr_t page_bytes;
static struct sigaction former;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards changes, and this */
static struct mapped_range *free_places;

/* ---- In the signal handler ---- */

static struct mapped_range *find(uintptr_t address)
{
    uint32_t count = atomic_load(&used);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t extent = atomic_load(&ranges[i].extent) & ~DAMAGED;
        uintptr_t begin = atomic_load(&ranges[i].begin);
        if (extent > 0 && address >= begin && address - begin < extent)
            return &ranges[i];
    }
    return NULL;
}

static bool put_zeros(uintptr_t address)
{
    struct mapped_range *range = find(address);
    if (!range)
        return false;
    atomic_fetch_or(&range->extent, DAMAGED);
    atomic_fetch_add(&faults, 1);
    void *page = (void *)(address & ~(page_bytes - 1)); // NOLINT(performance-no-int-to-ptr)
    return syscall(MAP_CALL, page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) != -1;
}

static void pass_on(int number, siginfo_t *information, void *context)
{
    struct sigaction end = {.sa_handler = SIG_DFL};
    if ((former.sa_flags & SA_SIGINFO) != 0) {
        former.sa_sigaction(number, information, context);
    } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
        former.sa_handler(number);
    } else {
        sigaction(number, &end, NULL); /* a fault comes again at once, */
        if (information->si_code <= 0) /* what a process sent does not */
            raise(number);
    }
}

static void on_fault(int number, siginfo_t *information, void *context)
{
    int saved = errno;
    bool ours = information->si_code > 0 && put_zeros((uintptr_t)information->si_addr);
    errno = saved;
    if (!ours)
        pass_on(number, information, context);
}

/* ---- In threads ---- */

/* Again, should somebody have put another handler there since. */
static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction current;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, NULL, &current);
    bool is_ours = current.sa_sigaction == on_fault;
    if (is_ours && (current.sa_flags & SA_SIGINFO) != 0)
        return;
    if (!is_ours)
        former = current;
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigaction(SIGBUS, &action, NULL);
}

static struct mapped_range *take_place(void)
{
    struct mapped_range *range = free_places;
    uint32_t count = atomic_load(&used);
    if (range) {
        free_places =
            (struct mapped_range *)atomic_load(&range->begin); // NOLINT(performance-no-int-to-ptr)
    } else if (count < RANGES_MAX) {
        range = &ranges[count];
        atomic_store(&used, count + 1);
    }
    return range;
}

struct mapped_range *mapped_range_add(const void *begin, size_t bytes)
{
    pthread_mutex_lock(&lock);
    install();
    struct mapped_range *range = take_place();
    if (range) {
        atomic_store(&range->begin, (uintptr_t)begin);
        atomic_store(&range->extent, bytes);
    }
    pthread_mutex_unlock(&lock);
    return range;
}

void mapped_range_remove(struct mapped_range *range)
{
    if (!range)
        return;
    pthread_mutex_lock(&lock);
    atomic_store(&range->extent, 0);
    atomic_store(&range->begin, (uintptr_t)free_places);
    free_places = range;
    pthread_mutex_unlock(&lock);
}

bool mapped_range_damaged(const struct mapped_range *range)
{
    return (atomic_load(&range->extent) & DAMAGED) != 0;
}

uint64_t mapped_ranges_faults(void)
{
    return atomic_load(&faults);
}
