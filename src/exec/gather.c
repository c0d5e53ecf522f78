#include "exec/gather.h"

/*
 * Of a group whose commit took at least so long those who were answered are waited
 * for: it takes longer to wake them. At most for GATHER_MAX_NS; and if fewer than
 * half of them came, not again for so many groups.
 */
#define GATHER_COMMIT_NS 50000
#define GATHER_MAX_NS 2000000
#define GATHER_SKIPPED 16

void rsq_gather_init(rsq_gather *g)
{
    *g = (rsq_gather){0};
    rsq_cond_init(&g->all_back);
}

void rsq_gather_fini(rsq_gather *g)
{
    rsq_cond_fini(&g->all_back);
}

void rsq_gather_expect_locked(rsq_gather *g, const rsq_writes *line, size_t threads, int64_t commit_ns)
{
    if (threads < 2 || commit_ns < GATHER_COMMIT_NS)
        return;
    if (g->skip > 0) {
        g->skip--;
        return;
    }
    g->expected = line->count + threads;
    g->until_ns = rsq_now_ns() + (commit_ns < 2 * GATHER_MAX_NS ? commit_ns / 2 : GATHER_MAX_NS);
}

/* Somebody else may have come, or left since his time was over. */
static size_t missing(const rsq_gather *g, const rsq_writes *line)
{
    return line->count < g->expected ? g->expected - line->count : 0;
}

void rsq_gather_wait_locked(rsq_gather *g, const rsq_writes *line, rsq_mutex *mu)
{
    size_t before = missing(g, line);
    bool in_time = true;

    if (before == 0)
        return;
    g->waits = true;
    while (missing(g, line) > 0 && in_time)
        in_time = rsq_cond_wait_until(&g->all_back, mu, g->until_ns);
    g->waits = false;
    if (2 * missing(g, line) > before)
        g->skip = GATHER_SKIPPED;
}
