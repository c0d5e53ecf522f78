/* What a figure depends on besides the case: code, machine, kernel, compiler, SQLite, file system. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>
#include <stdio.h>

#include "bench.h"

#define MACHINE_TEXT 128
#define MACHINE_FLAGS 2048

typedef struct bench_machine {
    long cores;
    char cpu[MACHINE_TEXT];
    char kernel[MACHINE_TEXT];
    char compiler[MACHINE_TEXT];    /* of the benchmark, and whether it optimised */
    char file_system[MACHINE_TEXT]; /* of the temporary directory */
    char others[MACHINE_TEXT];      /* share of the cores that other programs used just before the run */
    char date[MACHINE_TEXT];        /* 2026-11-21T18:04:05Z */
    char resqlite[MACHINE_TEXT];
    const char *commit; /* that the benchmark was built from; "unknown" outside of git */
    const char *label;  /* of the run; "" without */
    size_t passes;
    char sqlite[MACHINE_TEXT];
    char sqlite_flags[MACHINE_FLAGS];
    const bench_program *programs; /* peers of this run that are programs of their own */
    size_t nprograms;
} bench_machine;

/*
 * Takes a third of a second, in which it watches what else is running. Leaves `label` and `passes` alone.
 * Programs are told only if bench_peers_look() was called before.
 */
void bench_machine_look(bench_machine *m, const char *dir);

/* The header of a report on a terminal. */
void bench_machine_print(const bench_machine *m, FILE *out);

/* {"cores":…,…}: the header of JSON. */
void bench_machine_json(const bench_machine *m, FILE *out);

#endif
