/* The command `audit`; see audit.h. */
#include "audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "machine.h"

enum { EXIT_USAGE = 2 };

static const audit_effort effort_full = {.passes = 4, .bursts = 20};
static const audit_effort effort_quick = {.passes = 2, .bursts = 2};

static const char usage[] =
    "usage: rsq-bench audit writer|reader [--quick] [--json FILE] [--dir DIR]\n"
    "\n"
    "  writer  where the time of the thread goes that writes in a burst: without live queries, with ones "
    "that\n"
    "          its writes do not concern, with ones that they do, and with ones on single keys\n"
    "  reader  where the time of a point query goes, and its instructions if there is valgrind\n"
    "\n"
    "exit status: 0 all well; 1 it failed, a caller was parked for a reader, more than 10 % is unexplained, "
    "or\n"
    "             another number of live queries was concerned than must be; 2 wrong usage\n";

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
    if (a->json)
        fprintf(a->json,
                "{\"workload\":\"audit-%s\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":\"%s\",\"low\":%.4f,"
                "\"value\":%.4f,\"high\":%.4f}\n",
                name, workload, part, unit, audit_low(a, b), mean(a, b), audit_high(a, b));
}

static int usage_error(const char *what, const char *about)
{
    fprintf(stderr, "rsq-bench: audit: %s: %s\n\n%s", about, what, usage);
    return EXIT_USAGE;
}

static bool run(audit *a, bool (*which)(audit *a))
{
    bench_machine machine = {.label = ""};
    bool ok;

    if (rsq_profile_enable(true) != RSQ_OK)
        return audit_fail("the library was built with -Dprofile=false, so there is nothing to read");
    bench_machine_look(&machine, a->place.dir);
    machine.passes = a->effort.passes;
    bench_machine_print(&machine, stdout);
    if (a->json) {
        fprintf(a->json, "{\"header\":");
        bench_machine_json(&machine, a->json);
        fprintf(a->json, "}\n");
    }
    ok = which(a);
    (void)rsq_profile_enable(false);
    return ok;
}

int bench_audit(int argc, char **argv)
{
    bool (*which)(audit * a) = NULL;
    const char *json = NULL, *dir = NULL;
    audit a = {.effort = effort_full};
    bool ok;

    if (argc > 0 && strcmp(argv[0], "writer") == 0)
        which = audit_writer;
    else if (argc > 0 && strcmp(argv[0], "reader") == 0)
        which = audit_reader;
    else
        return usage_error("which audit?", argc > 0 ? argv[0] : "nothing");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            a.effort = effort_quick;
        else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
            json = argv[++i];
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            dir = argv[++i];
        else
            return usage_error("no such option, or it needs a value", argv[i]);
    }
    if (json && !(a.json = fopen(json, "we")))
        return usage_error(strerror(errno), json);
    if (!bench_place_open(&a.place, dir)) {
        if (a.json)
            fclose(a.json);
        return EXIT_USAGE;
    }
    ok = run(&a, which);
    ok = bench_place_close(&a.place) && ok;
    if (a.json && (ferror(a.json) | fclose(a.json)) != 0)
        ok = audit_fail("%s: write error", json);
    return ok && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
