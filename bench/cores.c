/* Which core a thread runs on; see cores.h. */
#define _GNU_SOURCE /* pthread_setaffinity_np() */

#include "cores.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

static pthread_once_t looked = PTHREAD_ONCE_INIT;
static cpu_set_t allowed; /* of the process; written once, before anybody is bound */

static void look(void)
{
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0)
        CPU_ZERO(&allowed);
}

void bench_core_take(unsigned i)
{
    cpu_set_t mine;
    int skip;

    pthread_once(&looked, look);
    if (CPU_COUNT(&allowed) == 0)
        return;
    skip = (int)i % CPU_COUNT(&allowed);
    CPU_ZERO(&mine);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &allowed) && skip-- == 0)
            CPU_SET(core, &mine);
    }
    pthread_setaffinity_np(pthread_self(), sizeof mine, &mine);
}

void bench_core_leave(void)
{
    pthread_once(&looked, look);
    if (CPU_COUNT(&allowed) > 0)
        pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}
