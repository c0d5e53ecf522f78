/* The commit that the benchmark was built from; "unknown" outside of git. commit.c is made by the build. */
#ifndef BENCH_COMMIT_H
#define BENCH_COMMIT_H

extern const char bench_commit[];

#endif
