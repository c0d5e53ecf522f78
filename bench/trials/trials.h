/* The peers of the experiments: each case answers one question of experiments/. */
#ifndef BENCH_TRIALS_H
#define BENCH_TRIALS_H

#include "bench.h"

/* trials/read.c: rows fetched, kept as records, copied; variants there. */
extern const bench_ops trials_fetch;   /* variant: raw_fetch */
extern const bench_ops trials_records; /* a record for each row */
extern const bench_ops trials_copied;  /* variant: 1 to recycle memory */

/* trials/json.c */
enum { TRIALS_WHOLE, TRIALS_QUARTERS, TRIALS_ANY }; /* variants of the three below: which reals */
extern const bench_ops trials_reals_rsq;
extern const bench_ops trials_reals_json1;
extern const bench_ops trials_reals_printf;
extern const bench_ops trials_json_encoded; /* a result, then encoded by hand */
extern const bench_ops trials_json_tree;    /* a result, then a tree of values, then text */

/* trials/texts.c: inserts with texts; variant: raw_binding */
extern const bench_ops trials_texts;

/* trials/threads.c */
extern const bench_ops
    trials_hand_over; /* variant: microseconds of spinning; the case's size is those of the gap */
extern const bench_ops trials_pool; /* variant: readers, and threads << 8 */

#endif
