/*
 * The judge: a plain connection of its own that runs a query afresh and
 * compares. It shares SQLite's code with the library, since two copies of it in
 * one process would drop each other's locks, and nothing else.
 */
#ifndef ORACLE_JUDGE_H
#define ORACLE_JUDGE_H

#include "plan.h"

typedef struct judge judge;

typedef enum verdict {
    VERDICT_SAME,   /* byte for byte */
    VERDICT_ORDER,  /* the same rows, in another order that is as right */
    VERDICT_CHOICE, /* other rows, as right, if another plan was taken */
    VERDICT_DIFFERENT
} verdict;

/* `aux`: the second file; NULL: there is none. */
judge *judge_open(const char *path, const char *aux, size_t nqueries);
void judge_close(judge *j);

/* The schema may have changed, the statistics if `always`: begin anew with what is in the file. */
void judge_reopen(judge *j, bool always);

/* The query has other parameters now. */
void judge_forget(judge *j, size_t number);

/* One snapshot for the comparisons in between. */
void judge_begin(judge *j);
void judge_end(judge *j);

/* Compare with `r`; NULL: the query has failed. `names`: the columns' names too. */
verdict judge_compare(judge *j, const query *q, size_t number, const rsq_result *r, bool names);

/* Print what the query gives. */
void judge_print(judge *j, const query *q, size_t number, FILE *out);

/* The same of a result. */
void judge_print_result(const rsq_result *r, FILE *out);

/* Are two results the same in all bytes, types and names? */
bool judge_equal(const rsq_result *a, const rsq_result *b);

#endif
