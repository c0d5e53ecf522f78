/* One episode: a plan is run against the library, and judged after each commit that is waited for. */
#ifndef ORACLE_RUN_H
#define ORACLE_RUN_H

#include "plan.h"
#include "tally.h"

typedef struct failure {
    bool failed;
    size_t commit; /* where it was noticed */
    size_t query;  /* of the stream */
    char what[160];
} failure;

typedef struct run_options {
    const char *folder; /* where databases are made */
    FILE *report;       /* what differs is printed there; NULL: nowhere */
} run_options;

/* The first `ncommits` of the plan. */
failure run_plan(const plan *p, size_t ncommits, const run_options *options, tally *t);

#endif
