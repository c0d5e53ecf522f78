/*
 * The clock of the benchmark: CLOCK_MONOTONIC_RAW, because two readings a few
 * milliseconds apart must not contain a correction by a time daemon.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime() */

#include <time.h>

#include "bench.h"

int64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
