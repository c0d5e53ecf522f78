/* Results of a labelled run: a JSON document and a page for people, DATE-LABEL.{json,md}. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "machine.h"
#include "outcome.h"

#define BENCH_LABEL_MAX 48

typedef struct bench_results {
    const bench_machine *machine;
    const bench_outcome *outcomes; /* those without samples are left out */
    size_t n;
} bench_results;

/* Is it fit for a name of a file? */
bool bench_label_ok(const char *label);

/* {"header":{…},"cases":[…]}, one case a line. */
void bench_results_json(const bench_results *r, FILE *out);

/* Tables in Markdown. `comparison`: lines to be shown as they are; NULL: none. */
void bench_results_page(const bench_results *r, const char *comparison, FILE *out);

/* The newest file of a run with the label "canonical", from the heap; NULL: there is none. */
char *bench_results_canonical(const char *dir);

#endif
