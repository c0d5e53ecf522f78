#include "base/graveyard.h"

void *rsq_graveyard_bury(rsq_graveyard *g, void *handle)
{
    void *out;

    rsq_mutex_lock(&g->mu);
    out = g->buried[g->oldest];
    g->buried[g->oldest] = handle;
    g->oldest = (g->oldest + 1) % RSQ_GRAVEYARD_MAX;
    rsq_mutex_unlock(&g->mu);
    return out;
}
