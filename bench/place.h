/*
 * The temporary directory of a run. Its databases have names that the frame
 * gives, so that all of them can be removed whatever happened to the peer.
 */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench.h"

typedef struct bench_place {
    char dir[BENCH_PATH_MAX - 32];
} bench_place;

/* Make a directory inside `parent` (NULL: TMPDIR, or /tmp). False: said why on standard error; the name is
 * empty. */
bool bench_place_open(bench_place *p, const char *parent);

/* The name of the database of the i-th peer. */
void bench_place_database(const bench_place *p, size_t i, char path[BENCH_PATH_MAX]);

/* Remove that database and what SQLite puts beside it. */
void bench_place_remove(const char *path);

/* Remove the directory. False: something is left in it, said on standard error. */
bool bench_place_close(bench_place *p);

#endif
