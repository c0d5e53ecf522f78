/* Results of a labelled run; see results.h. */
#define _POSIX_C_SOURCE 200809L /* strdup() */

#include "results.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "report.h"

bool bench_label_ok(const char *label)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(label);

    return len > 0 && len <= BENCH_LABEL_MAX && label[0] != '.' && label[0] != '-' &&
           strspn(label, letters) == len;
}

void bench_results_json(const bench_results *r, FILE *out)
{
    const char *before = "\n";

    fprintf(out, "{\"header\":");
    bench_machine_json(r->machine, out);
    fprintf(out, ",\n\"cases\":[");
    for (size_t i = 0; i < r->n; i++) {
        const bench_outcome *o = &r->outcomes[i];

        for (size_t peer = 0; peer < o->peers && o->n > 0; peer++) {
            fputs(before, out);
            bench_report_json(o, peer, out);
            before = ",\n";
        }
    }
    fprintf(out, "\n]}\n");
}

static void page_header(const bench_machine *m, FILE *out)
{
    fprintf(out, "# %s\n\n", m->label);
    fprintf(out, "- resqlite %s (%s), SQLite %s\n", m->resqlite, m->commit, m->sqlite);
    fprintf(out, "- %ld cores, %s; %s; %s; files on %s\n", m->cores, m->cpu, m->kernel, m->compiler,
            m->file_system);
    fprintf(out, "- %s, %zu passes; others: %s\n", m->date, m->passes, m->others);
    fprintf(out, "- flags of SQLite: %s\n", m->sqlite_flags);
    for (size_t i = 0; i < m->nprograms; i++)
        fprintf(out, "- %s: %s\n", m->programs[i].name, m->programs[i].version);
    fprintf(out, "\n");
}

static void page_times(const bench_outcome *o, FILE *out)
{
    char name[BENCH_NAME_MAX];

    bench_case_name(o->of, name);
    for (size_t i = 0; i < o->peers; i++) {
        const bench_figures *f = &o->figures[i];
        size_t to = bench_peer_reference(o->of, i);

        fprintf(out, "| %s | %s | %.3f | %.3f | %.3f | %.1f %% | %.1f %% | ", name, o->of->peers[i].name,
                f->median, f->p90, f->p99, f->median > 0 ? 100 * f->mad / f->median : 0,
                100 * o->detectable[i]);
        if (to != i) {
            bench_ratio r = bench_outcome_ratio(o, i, to);

            fprintf(out, "%.3f [%.3f %.3f] %s", r.ratio, r.low, r.high, o->of->peers[to].name);
        }
        fprintf(out, " | %s%s |\n", o->of->unit, bench_outcome_noisy(o, i) ? ", noisy" : "");
    }
}

static void page_memory(const bench_outcome *o, FILE *out)
{
    char name[BENCH_NAME_MAX];

    bench_case_name(o->of, name);
    for (size_t i = 0; i < o->peers; i++) {
        if (o->memory[i][0].n == 0)
            continue;
        fprintf(out, "| %s | %s |", name, o->of->peers[i].name);
        for (size_t kind = 0; kind < BENCH_MEMORIES; kind++) {
            const bench_row *row = &o->memory[i][kind];
            double scratch[BENCH_PASSES_MAX];

            if (row->n > 0)
                fprintf(out, " %.1f |", bench_figures_of(row->values, row->n, scratch).median);
            else
                fprintf(out, " |");
        }
        fprintf(out, "\n");
    }
}

void bench_results_page(const bench_results *r, const char *comparison, FILE *out)
{
    page_header(r->machine, out);
    fprintf(out, "| case | peer | median | p90 | p99 | MAD | sees | ratio [95 %% interval] | unit |\n");
    fprintf(out, "|---|---|--:|--:|--:|--:|--:|---|---|\n");
    for (size_t i = 0; i < r->n; i++) {
        if (r->outcomes[i].n > 0)
            page_times(&r->outcomes[i], out);
    }
    fprintf(out, "\n## Memory\n\n| case | peer |");
    for (size_t kind = 0; kind < BENCH_MEMORIES; kind++)
        fprintf(out, " %s |", bench_memory_names[kind].text);
    fprintf(out, "\n|---|---|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < r->n; i++) {
        if (r->outcomes[i].n > 0)
            page_memory(&r->outcomes[i], out);
    }
    if (comparison)
        fprintf(out, "\n## Comparison\n\n```\n%s```\n", comparison);
}

char *bench_results_canonical(const char *dir)
{
    char pattern[BENCH_PATH_MAX];
    char *found = NULL;
    glob_t g;

    snprintf(pattern, sizeof pattern, "%s/*-canonical.json", dir);
    /* Sorted, and names begin with the date. */
    if (glob(pattern, 0, NULL, &g) != 0)
        return NULL;
    found = strdup(g.gl_pathv[g.gl_pathc - 1]);
    globfree(&g);
    return found;
}
