/* Instruction counts; see counts.h. */
#include "counts.h"

#include <errno.h>

/* A goal this near to one is closer than what the clock can tell. */
#define NEAR_ONE (0.10 + 1e-9)

static bool read_line(bench_counts *c, const char *line)
{
    bench_count *e = &c->entries[c->n];

    if (line[0] == '#' || line[0] == '\n')
        return true;
    if (c->n == BENCH_COUNTS_MAX || sscanf(line, "%63s %63s %lf", e->name, e->peer, &e->instructions) != 3)
        return false;
    c->n++;
    return true;
}

bool bench_counts_read(bench_counts *c, const char *path)
{
    FILE *f = fopen(path, "re");
    char line[256];
    bool ok = true;

    if (!f) {
        fprintf(stderr, "rsq-bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (ok && fgets(line, sizeof line, f))
        ok = read_line(c, line);
    ok = ok && !ferror(f);
    if (!ok)
        fprintf(stderr, "rsq-bench: %s: not a file of instruction counts\n", path);
    fclose(f);
    return ok;
}

static double find(const bench_counts *c, const bench_case *of, const char *peer)
{
    char name[BENCH_COUNTS_NAME];

    snprintf(name, sizeof name, "%s/%s", of->workload, of->name);
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->entries[i].name, name) == 0 && strcmp(c->entries[i].peer, peer) == 0)
            return c->entries[i].instructions;
    }
    return 0;
}

double bench_counts_ratio(const bench_counts *c, const bench_case *of, const bench_goal *g)
{
    double peer = find(c, of, g->peer);
    double to = find(c, of, g->to);

    if (g->kind != BENCH_GOAL_RATIO || g->max < 1 - NEAR_ONE || g->max > 1 + NEAR_ONE)
        return 0;
    return to > 0 ? peer / to : 0;
}
