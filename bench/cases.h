/* All cases there are, and which of them are wanted. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "bench.h"

#define BENCH_NAME_MAX 96 /* of WORKLOAD/CASE, with its zero */

/* Which cases are wanted. */
typedef struct bench_choice {
    const char *filter;   /* a glob for WORKLOAD/CASE; NULL: any */
    const char *workload; /* NULL: any */
    const char *area;     /* with a goal of that area; NULL: any */
    bool with_goals;      /* with a goal */
    bool all;             /* also those that are there by name only, but for experiments */
    bool slow;            /* also those of them that take long */
} bench_choice;

void bench_case_name(const bench_case *c, char name[BENCH_NAME_MAX]);

/* Is this a goal to look at? `area`: NULL for any. */
bool bench_goal_in(const bench_goal *g, const char *area);

/* False: that is enough. */
typedef bool (*bench_case_fn)(const bench_case *c, void *ctx);

/* Call `each` for every wanted case until it returns false; the number of calls. */
size_t bench_cases_each(const bench_choice *choice, bench_case_fn each, void *ctx);

/* Is a case of that name, which need not be one of ours, among the wanted ones? Areas are not looked at. */
bool bench_cases_named(const bench_choice *choice, const char *workload, const char *name);

/* A misspelt peer in a table would read beyond it; so every name is looked up before anything runs. */
bool bench_cases_check(void);

#endif
