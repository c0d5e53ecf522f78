/* Tables, JSON lines, goals; see report.h. */
#include "report.h"

#include <string.h>

#include "cases.h"
#include "json.h"

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
    fprintf(out, "%-24s %-20s %12s %12s %12s %6s %6s %5s  %-28s %s\n", "case", "peer", "median", "p90", "p99",
            "MAD", "sees", "n", "ratio [95 % interval]", "unit");
}

void bench_report_table(const bench_outcome *o, FILE *out)
{
    char name[BENCH_NAME_MAX];

    bench_case_name(o->of, name);
    for (size_t i = 0; i < o->peers; i++) {
        const bench_figures *f = &o->figures[i];
        size_t to = bench_peer_reference(o->of, i);
        char ratio[96] = "";

        if (to != i) {
            bench_ratio r = bench_outcome_ratio(o, i, to);

            snprintf(ratio, sizeof ratio, "%.3f [%.3f %.3f] %s", r.ratio, r.low, r.high,
                     o->of->peers[to].name);
        }
        fprintf(out, "%-24s %-20s %12.3f %12.3f %12.3f %5.1f%% %5.1f%% %5zu  %-28s %s%s\n", name,
                o->of->peers[i].name, f->median, f->p90, f->p99, f->median > 0 ? 100 * f->mad / f->median : 0,
                100 * o->detectable[i], o->n, ratio, o->of->unit, bench_outcome_noisy(o, i) ? "  NOISY" : "");
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
        fprintf(out, "%s{\"area\":\"%s\",\"to\":\"%s\",\"%s\":%.6g,\"low\":%.6g,\"high\":%.6g,\"max\":%.6g,",
                comma, goal->area, goal->to, kind_of(goal), r.ratio, r.low, r.high, goal->max);
        fprintf(out, "\"met\":%s}", r.ratio <= goal->max ? "true" : "false");
        comma = ",";
    }
    fprintf(out, "]");
}

static void json_row(const char *key, const double *values, size_t n, FILE *out)
{
    fprintf(out, "\"%s\":[", key);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%.6g", i > 0 ? "," : "", values[i]);
    fprintf(out, "]");
}

static void json_quantiles(const bench_outcome *o, size_t peer, FILE *out)
{
    unsigned percents[BENCH_QUANTILES];
    double values[BENCH_QUANTILES];

    for (size_t i = 0; i < BENCH_QUANTILES; i++)
        percents[i] = bench_quantile_percent(i);
    bench_percentiles_of(o->samples[peer], o->n, percents, BENCH_QUANTILES, values, o->scratch);
    fprintf(out, ",");
    json_row("quantiles", values, BENCH_QUANTILES, out);
}

static void json_memory(const bench_outcome *o, size_t peer, FILE *out)
{
    const char *before = ",\"memory\":{";

    for (size_t i = 0; i < BENCH_MEMORIES; i++) {
        const bench_row *row = &o->memory[peer][i];

        if (row->n == 0)
            continue;
        fputs(before, out);
        json_row(bench_memory_names[i].key, row->values, row->n, out);
        before = ",";
    }
    if (before[1] == '\0')
        fputc('}', out);
}

void bench_report_json(const bench_outcome *o, size_t peer, FILE *out)
{
    const bench_figures *f = &o->figures[peer];
    size_t to = bench_peer_reference(o->of, peer);
    bench_ratio r = bench_outcome_ratio(o, peer, to);

    fprintf(out, "{\"workload\":\"%s\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":", o->of->workload,
            o->of->name, o->of->peers[peer].name);
    bench_json_text(out, o->of->unit);
    fprintf(out, ",\"median\":%.6g,\"p90\":%.6g,\"p99\":%.6g,\"mad\":%.6g,\"n\":%zu", f->median, f->p90,
            f->p99, f->mad, o->n);
    fprintf(out, ",\"ratio_to\":\"%s\",\"ratio\":%.6g,\"ratio_low\":%.6g,\"ratio_high\":%.6g",
            o->of->peers[to].name, r.ratio, r.low, r.high);
    fprintf(out, ",\"detectable\":%.6g,\"size\":%zu,\"loops\":%llu,\"noisy\":%s,", o->detectable[peer],
            o->of->size, (unsigned long long)o->loops, bench_outcome_noisy(o, peer) ? "true" : "false");
    json_row("passes", o->passes[peer].values, o->passes[peer].n, out);
    json_quantiles(o, peer, out);
    json_memory(o, peer, out);
    json_goals(o, peer, out);
    fprintf(out, "}");
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

/* The figure of the same goal in an earlier run; NULL: there is none. */
static const bench_stored_goal *stored_goal(const bench_set *stored, const bench_case *of,
                                            const bench_goal *g)
{
    const bench_entry *e = stored ? bench_set_find(stored, of->workload, of->name, g->peer) : NULL;

    for (size_t i = 0; e && i < e->ngoals; i++) {
        const bench_stored_goal *s = &e->goals[i];

        if (strcmp(s->area, g->area) == 0 && strcmp(s->to, g->to) == 0)
            return s;
    }
    return NULL;
}

/* By more than a tenth, and by more than the noise of both runs: their intervals do not touch. */
static bool is_worse(const bench_ratio *now, const bench_stored_goal *was)
{
    return was && now->ratio > (1 + BENCH_CHANGE_MIN) * was->figure && now->low > was->high;
}

static void report_goal(const bench_outcome *o, const bench_goal *g, const bench_judges *by,
                        bench_tally *tally, FILE *out)
{
    const bench_stored_goal *was = stored_goal(by->stored, o->of, g);
    size_t peer = bench_peer_index(o->of, g->peer);
    size_t to = bench_peer_index(o->of, g->to);
    bench_ratio r = bench_outcome_goal(o, g);
    double counted = bench_counts_ratio(by->counts, o->of, g);
    bool met = (counted > 0 ? counted : r.ratio) <= g->max;
    char ratio[64];

    snprintf(ratio, sizeof ratio, "%.3f [%.3f %.3f]", r.ratio, r.low, r.high);
    fprintf(out, "%-23s %6.2f  %s", ratio, g->max, met ? "ok" : "MISSED");
    if (counted > 0)
        fprintf(out, "  by instructions: %.3f", counted);
    if (is_worse(&r, was)) {
        fprintf(out, "  WORSE than stored: %.3f", was->figure);
        tally->worse++;
    }
    fprintf(out, "%s\n", bench_outcome_noisy(o, peer) || bench_outcome_noisy(o, to) ? "  NOISY" : "");
    if (met)
        tally->met++;
    else
        tally->missed++;
}

void bench_report_goals(const bench_case *of, const bench_outcome *o, const bench_judges *by,
                        bench_tally *tally, FILE *out)
{
    char name[BENCH_NAME_MAX];

    bench_case_name(of, name);
    for (size_t i = 0; is_goal(of, i); i++) {
        const bench_goal *g = &of->goals[i];

        if (!bench_goal_in(g, by->area))
            continue;
        fprintf(out, "%-24s %-11s %-20s %-16s ", name, g->area, g->peer, reference_text(g));
        if (o) {
            report_goal(o, g, by, tally, out);
        } else {
            fprintf(out, "%-23s %6.2f  MISSED\n", "not measured", g->max);
            tally->missed++;
        }
    }
    fflush(out);
}
