/* The command `audit`; see audit.h. */
#include "audit.h"

#include <stdarg.h>
#include <string.h>

static const audit_effort effort_full = {.passes = 4, .bursts = 20};
static const audit_effort effort_quick = {.passes = 2, .bursts = 2};

bool audit_fail(const char *format, ...)
{
    va_list args;

    fputs("rsq-bench: audit: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

double audit_low(const audit *a, const audit_band *b)
{
    double low = b->of[0];

    for (unsigned i = 1; i < a->effort.passes; i++)
        low = b->of[i] < low ? b->of[i] : low;
    return low;
}

double audit_high(const audit *a, const audit_band *b)
{
    double high = b->of[0];

    for (unsigned i = 1; i < a->effort.passes; i++)
        high = b->of[i] > high ? b->of[i] : high;
    return high;
}

static double mean(const audit *a, const audit_band *b)
{
    double sum = 0;

    for (unsigned i = 0; i < a->effort.passes; i++)
        sum += b->of[i];
    return sum / a->effort.passes;
}

void audit_band_text(const audit *a, const audit_band *b, char text[AUDIT_BAND_TEXT])
{
    char low[AUDIT_BAND_TEXT / 2 - 1], high[AUDIT_BAND_TEXT / 2 - 1];

    snprintf(low, sizeof low, "%.1f", audit_low(a, b));
    snprintf(high, sizeof high, "%.1f", audit_high(a, b));
    if (strcmp(low, high) == 0)
        snprintf(text, AUDIT_BAND_TEXT, "%s", low);
    else
        snprintf(text, AUDIT_BAND_TEXT, "%s-%s", low, high);
}

void audit_json(const audit *a, const char *name, const char *workload, const char *part, const char *unit,
                const audit_band *b)
{
    if (a->tables.json)
        fprintf(a->tables.json,
                "{\"workload\":\"audit-%s\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":\"%s\",\"low\":%.4f,"
                "\"value\":%.4f,\"high\":%.4f}\n",
                name, workload, part, unit, audit_low(a, b), mean(a, b), audit_high(a, b));
}

static bool run(audit *a, bool (*which)(audit *a))
{
    bool ok;

    if (rsq_profile_enable(true) != RSQ_OK)
        return audit_fail("the library was built with -Dprofile=false, so there is nothing to read");
    ok = which(a);
    (void)rsq_profile_enable(false);
    return ok;
}

int bench_audit(const bench_options *o)
{
    bool is_writer = strcmp(o->words[0], "writer") == 0;
    audit a = {.effort = o->effort == &bench_effort_quick ? effort_quick : effort_full};
    bool ok;

    if (!is_writer && strcmp(o->words[0], "reader") != 0)
        return bench_usage_error("no such audit", o->words[0]);
    if (!bench_tables_begin(&a.tables, o))
        return BENCH_EXIT_USAGE;
    a.tables.wanted = 1; /* there is no choice of lines */
    ok = run(&a, is_writer ? audit_writer : audit_reader);
    return bench_tables_end(&a.tables, ok ? BENCH_EXIT_OK : BENCH_EXIT_MISSED);
}
