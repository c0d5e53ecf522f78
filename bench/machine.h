/* What a figure depends on besides the code: machine, kernel, compiler, SQLite, file system. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdio.h>

#define MACHINE_TEXT 128
#define MACHINE_FLAGS 2048

typedef struct bench_machine {
    long cores;
    char cpu[MACHINE_TEXT];
    char kernel[MACHINE_TEXT];
    char compiler[MACHINE_TEXT];    /* of the benchmark, and whether it optimised */
    char file_system[MACHINE_TEXT]; /* of the temporary directory */
    char others[MACHINE_TEXT];      /* share of the cores that other programs used just before the run */
    char resqlite[MACHINE_TEXT];
    char sqlite[MACHINE_TEXT];
    char sqlite_flags[MACHINE_FLAGS];
} bench_machine;

/* Takes a third of a second, in which it watches what else is running. */
void bench_machine_look(bench_machine *m, const char *dir);

/* The header of a report on a terminal. */
void bench_machine_print(const bench_machine *m, FILE *out);

/* The first of the JSON lines: {"header":{…}}. */
void bench_machine_json(const bench_machine *m, FILE *out);

#endif
