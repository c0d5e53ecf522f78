/*
 * rsq-bench audit: where the time goes inside the library, by its own counters
 * (rsq_profile()), not against a peer.
 */
#ifndef BENCH_AUDIT_H
#define BENCH_AUDIT_H

#include "bench.h"
#include "tables.h"

/* How often a figure is taken: passes that are shown as a band, each of as many bursts after one to warm up.
 */
typedef struct audit_effort {
    unsigned passes;
    unsigned bursts;
} audit_effort;

#define AUDIT_PASSES_MAX 16

typedef struct audit {
    bench_tables tables;
    audit_effort effort;
} audit;

/* A figure of each pass, shown as the lowest and the highest. */
typedef struct audit_band {
    double of[AUDIT_PASSES_MAX];
} audit_band;

double audit_low(const audit *a, const audit_band *b);
double audit_high(const audit *a, const audit_band *b);

/* "12.3-13.1", or one number if they are the same. */
#define AUDIT_BAND_TEXT 40
void audit_band_text(const audit *a, const audit_band *b, char text[AUDIT_BAND_TEXT]);

/* A JSON line: {"audit":…,"workload":…,"part":…,"unit":…,"low":…,"high":…}. */
void audit_json(const audit *a, const char *name, const char *workload, const char *part, const char *unit,
                const audit_band *b);

/* Say on standard error what went wrong; false. */
__attribute__((format(printf, 1, 2))) bool audit_fail(const char *format, ...);

/* The audits. False: something failed, or a figure is not what it must be; said why on standard error. */
bool audit_writer(audit *a);
bool audit_reader(audit *a);

/* The command. */
int bench_audit(const bench_options *o);

#endif
