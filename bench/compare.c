/*
 * Comparing two runs; see compare.h. Peers that are not the library's are compared
 * as well, since nothing of ours can have changed them: if they moved, the machine
 * did, and the other verdicts are worth less.
 */
#include "compare.h"

#include <math.h>
#include <string.h>

/* Below these a time, or a count, is the same to anybody. */
#define FLOOR_US 0.02
#define FLOOR_OTHER 0.5

static double floor_of(const bench_entry *e)
{
    return strncmp(e->unit, "us", 2) == 0 ? FLOOR_US : FLOOR_OTHER;
}

static void warn_of_machine(const bench_set *before, const bench_set *after, FILE *out, bench_totals *t)
{
    const bench_header *a = &before->header;
    const bench_header *b = &after->header;
    const struct {
        const char *what, *before, *after;
    } parts[] = {
        {"processor", a->cpu, b->cpu},
        {"kernel", a->kernel, b->kernel},
        {"file system", a->files_on, b->files_on},
        {"compiler", a->compiler, b->compiler},
        {"SQLite", a->sqlite, b->sqlite},
        {"flags of SQLite", a->sqlite_flags, b->sqlite_flags},
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].before, parts[i].after) == 0)
            continue;
        fprintf(out, "WARNING: another %s: %s, was %s\n", parts[i].what, parts[i].after, parts[i].before);
        t->other_machine = true;
    }
    if (a->cores != b->cores) {
        fprintf(out, "WARNING: %ld cores, were %ld\n", b->cores, a->cores);
        t->other_machine = true;
    }
    if (t->other_machine)
        fprintf(out, "WARNING: the two runs are not of one machine and one SQLite; ratios may be compared, "
                     "times hardly\n");
}

static void print_line(const bench_entry *e, const char *what, const bench_reading *before,
                       const bench_reading *after, const char *verdict, FILE *out)
{
    double detectable = before->detectable > after->detectable ? before->detectable : after->detectable;
    char name[96];

    snprintf(name, sizeof name, "%s/%s", e->workload, e->name);
    fprintf(out, "%-26s %-20s %-14s %12.3f %12.3f %+8.1f%% %8.1f%% %8.1f%%  %s\n", name, e->peer, what,
            before->value, after->value, 100 * bench_change(before, after),
            100 * bench_threshold(before, after), 100 * detectable, verdict);
}

static void compare_times(const bench_entry *before, const bench_entry *after, FILE *out, bench_totals *t)
{
    bench_reading a = bench_entry_time(before);
    bench_reading b = bench_entry_time(after);
    bench_verdict v = bench_judge(&a, &b, floor_of(after));
    char text[64];

    if (bench_peer_is_ours(after->peer)) {
        t->times[v]++;
        print_line(after, after->unit, &a, &b, bench_verdict_name(v), out);
        return;
    }
    t->controls++;
    t->controls_off += v != BENCH_NEUTRAL;
    snprintf(text, sizeof text, "(%s)", bench_verdict_name(v));
    print_line(after, after->unit, &a, &b, text, out);
}

/* Most figures of memory do not change, and there are four for each peer; so only those that do are printed.
 */
static void compare_memory(const bench_entry *before, const bench_entry *after, FILE *out, bench_totals *t)
{
    for (size_t i = 0; i < BENCH_MEMORIES && bench_peer_is_ours(after->peer); i++) {
        const bench_memory_name *name = &bench_memory_names[i];
        bench_reading a;
        bench_reading b;
        bench_verdict v;

        if (before->memory[i].n == 0 || after->memory[i].n == 0)
            continue;
        a = bench_entry_memory(before, (bench_memory_kind)i);
        b = bench_entry_memory(after, (bench_memory_kind)i);
        v = bench_judge(&a, &b, name->floor);
        t->memory[v]++;
        if (v != BENCH_NEUTRAL)
            print_line(after, name->text, &a, &b, bench_verdict_name(v), out);
    }
}

static void print_totals(const char *of, const unsigned counts[BENCH_VERDICTS], FILE *out)
{
    fprintf(out, "%s: %u stable wins, %u noisy wins, %u stable regressions, %u noisy regressions, %u neutral",
            of, counts[BENCH_STABLE_WIN], counts[BENCH_NOISY_WIN], counts[BENCH_STABLE_REGRESSION],
            counts[BENCH_NOISY_REGRESSION], counts[BENCH_NEUTRAL]);
}

/* One that measures something else by now is another case. */
static bool is_same(const bench_entry *before, const bench_entry *after)
{
    return before && after && strcmp(before->unit, after->unit) == 0;
}

void bench_compare(const bench_set *before, const bench_set *after,
                   bool (*wanted)(const bench_entry *e, const void *ctx), const void *ctx, FILE *out,
                   bench_totals *totals)
{
    bench_totals t = {.missing = 0};

    warn_of_machine(before, after, out, &t);
    fprintf(out, "%-26s %-20s %-14s %12s %12s %9s %9s %9s  %s\n", "case", "peer", "what", "before", "after",
            "change", "counts at", "could see", "verdict");
    for (size_t i = 0; i < after->n; i++) {
        const bench_entry *e = &after->entries[i];
        const bench_entry *was = bench_set_find(before, e->workload, e->name, e->peer);

        if (!is_same(was, e)) {
            t.added++;
            fprintf(out, "%s/%s %s: new\n", e->workload, e->name, e->peer);
            continue;
        }
        compare_times(was, e, out, &t);
        compare_memory(was, e, out, &t);
    }
    for (size_t i = 0; i < before->n; i++) {
        const bench_entry *was = &before->entries[i];

        if (is_same(was, bench_set_find(after, was->workload, was->name, was->peer)) ||
            (wanted && !wanted(was, ctx)))
            continue;
        t.missing++;
        fprintf(out, "%s/%s %s: missing\n", was->workload, was->name, was->peer);
    }
    fprintf(out, "\n");
    print_totals("times", t.times, out);
    fprintf(out, ", %u missing, %u new\n", t.missing, t.added);
    print_totals("memory", t.memory, out);
    fprintf(out, "\nbaseline: %u of %u figures changed%s\n", t.controls_off, t.controls,
            t.controls_off > 0 ? ", which no change of the library explains: how quiet was the machine?"
                               : "");
    *totals = t;
}

bool bench_totals_worse(const bench_totals *t)
{
    return t->times[BENCH_STABLE_REGRESSION] > 0 || t->times[BENCH_NOISY_REGRESSION] > 0 ||
           t->memory[BENCH_STABLE_REGRESSION] > 0 || t->memory[BENCH_NOISY_REGRESSION] > 0 || t->missing > 0;
}
