/* Tables, JSON lines, goals; see report.h. */
#include "report.h"

#include <string.h>

#include "json.h"

/* The peer that the ratio of peer `i` is to. */
static size_t reference_of(const bench_case *of, size_t i)
{
    return of->peers[i].to ? bench_peer_index(of, of->peers[i].to) : 0;
}

/* What a goal limits, as a word. */
static const char *kind_of(const bench_goal *g)
{
    static const char *const words[] = {
        [BENCH_GOAL_RATIO] = "ratio", [BENCH_GOAL_EXCESS] = "excess", [BENCH_GOAL_VALUE] = "value"};

    return words[g->kind];
}

static bool is_goal(const bench_case *of, size_t i)
{
    return i < BENCH_GOALS_MAX && of->goals[i].area;
}

void bench_report_table_head(FILE *out)
{
    fprintf(out, "%-24s %-20s %12s %12s %12s %6s %5s  %-28s %s\n", "case", "peer", "median", "p90", "p99",
            "MAD", "n", "ratio [95 % interval]", "unit");
}

void bench_report_table(const bench_outcome *o, FILE *out)
{
    char name[64];

    snprintf(name, sizeof name, "%s/%s", o->of->workload, o->of->name);
    for (size_t i = 0; i < o->peers; i++) {
        const bench_figures *f = &o->figures[i];
        size_t to = reference_of(o->of, i);
        char ratio[96] = "";

        if (to != i) {
            bench_ratio r = bench_outcome_ratio(o, i, to);

            snprintf(ratio, sizeof ratio, "%.3f [%.3f %.3f] %s", r.ratio, r.low, r.high,
                     o->of->peers[to].name);
        }
        fprintf(out, "%-24s %-20s %12.3f %12.3f %12.3f %5.1f%% %5zu  %-28s %s%s\n", name,
                o->of->peers[i].name, f->median, f->p90, f->p99, f->median > 0 ? 100 * f->mad / f->median : 0,
                o->n, ratio, o->of->unit, bench_outcome_noisy(o, i) ? "  NOISY" : "");
    }
    fflush(out);
}

/* The goals that bind peer `i`, as a JSON array. */
static void json_goals(const bench_outcome *o, size_t i, FILE *out)
{
    const char *comma = "";

    fprintf(out, ",\"goals\":[");
    for (size_t g = 0; is_goal(o->of, g); g++) {
        const bench_goal *goal = &o->of->goals[g];
        bench_ratio r;

        if (bench_peer_index(o->of, goal->peer) != i)
            continue;
        r = bench_outcome_goal(o, goal);
        fprintf(out, "%s{\"area\":\"%s\",\"to\":\"%s\",\"%s\":%.6g,\"max\":%.6g,\"met\":%s}", comma,
                goal->area, goal->to, kind_of(goal), r.ratio, goal->max,
                r.ratio <= goal->max ? "true" : "false");
        comma = ",";
    }
    fprintf(out, "]");
}

void bench_report_json(const bench_outcome *o, FILE *out)
{
    for (size_t i = 0; i < o->peers; i++) {
        const bench_figures *f = &o->figures[i];
        size_t to = reference_of(o->of, i);
        bench_ratio r = bench_outcome_ratio(o, i, to);

        fprintf(out, "{\"workload\":\"%s\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":", o->of->workload,
                o->of->name, o->of->peers[i].name);
        bench_json_text(out, o->of->unit);
        fprintf(out, ",\"median\":%.6g,\"p90\":%.6g,\"p99\":%.6g,\"mad\":%.6g,\"n\":%zu", f->median, f->p90,
                f->p99, f->mad, o->n);
        fprintf(out, ",\"ratio_to\":\"%s\",\"ratio\":%.6g,\"ratio_low\":%.6g,\"ratio_high\":%.6g",
                o->of->peers[to].name, r.ratio, r.low, r.high);
        fprintf(out, ",\"loops\":%llu,\"noisy\":%s", (unsigned long long)o->loops,
                bench_outcome_noisy(o, i) ? "true" : "false");
        json_goals(o, i, out);
        fprintf(out, "}\n");
    }
    fflush(out);
}

bool bench_goal_in(const bench_goal *g, const char *area)
{
    return g->area && (!area || strcmp(g->area, area) == 0);
}

/* What the figure of a goal is to: a peer (ratio), less a peer (difference), nothing. */
static const char *reference_text(const bench_goal *g)
{
    static char text[32];

    snprintf(text, sizeof text, "%s%s", g->kind == BENCH_GOAL_EXCESS ? "less " : "",
             g->kind == BENCH_GOAL_VALUE ? "-" : g->to);
    return text;
}

void bench_report_goals_head(FILE *out)
{
    fprintf(out, "%-24s %-11s %-20s %-16s %-23s %6s  %s\n", "case", "area", "peer", "to",
            "figure [95 % interval]", "goal", "verdict");
}

static void report_goal(const bench_outcome *o, const bench_goal *g, const bench_counts *counts,
                        bench_tally *tally, FILE *out)
{
    size_t peer = bench_peer_index(o->of, g->peer);
    size_t to = bench_peer_index(o->of, g->to);
    bench_ratio r = bench_outcome_goal(o, g);
    double counted = bench_counts_ratio(counts, o->of, g);
    bool met = (counted > 0 ? counted : r.ratio) <= g->max;
    char by[48] = "";
    char ratio[64];

    if (counted > 0)
        snprintf(by, sizeof by, "  by instructions: %.3f", counted);

    snprintf(ratio, sizeof ratio, "%.3f [%.3f %.3f]", r.ratio, r.low, r.high);
    fprintf(out, "%-23s %6.2f  %s%s%s\n", ratio, g->max, met ? "ok" : "MISSED", by,
            bench_outcome_noisy(o, peer) || bench_outcome_noisy(o, to) ? "  NOISY" : "");
    if (met)
        tally->met++;
    else
        tally->missed++;
}

void bench_report_goals(const bench_case *of, const bench_outcome *o, const char *area,
                        const bench_counts *counts, bench_tally *tally, FILE *out)
{
    char name[64];

    snprintf(name, sizeof name, "%s/%s", of->workload, of->name);
    for (size_t i = 0; is_goal(of, i); i++) {
        const bench_goal *g = &of->goals[i];

        if (!bench_goal_in(g, area))
            continue;
        fprintf(out, "%-24s %-11s %-20s %-16s ", name, g->area, g->peer, reference_text(g));
        if (o) {
            report_goal(o, g, counts, tally, out);
        } else {
            fprintf(out, "%-23s %6.2f  MISSED\n", "not measured", g->max);
            tally->missed++;
        }
    }
    fflush(out);
}
