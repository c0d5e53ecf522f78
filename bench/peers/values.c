/* Parameters of a block, made before it; see peers.h. */
#include <stdlib.h>

#include "peers/peers.h"

static bool reserve(peers_values *v, const plan *p, size_t numbers)
{
    size_t cells = numbers * (p->nparams > 0 ? p->nparams : 1);

    if (v->numbers >= numbers)
        return true;
    peers_values_fini(v);
    v->cells = malloc(cells * sizeof *v->cells);
    v->texts = malloc(cells * sizeof *v->texts);
    v->numbers = v->cells && v->texts ? numbers : 0;
    return v->numbers > 0;
}

bool peers_values_fill(peers_values *v, const plan *p, uint64_t first, uint64_t count, uint64_t *calls)
{
    size_t each = p->kind == PLAN_BATCH ? p->batch : 1;

    if (!reserve(v, p, (size_t)count * each))
        return false;
    for (size_t i = 0; i < (size_t)count * each; i++) {
        for (size_t k = 0; k < p->nparams; k++) {
            size_t at = i * p->nparams + k;

            v->cells[at] = plan_value(&p->params[k], first * each + i, calls, v->texts[at]);
        }
    }
    return true;
}

void peers_values_fini(peers_values *v)
{
    free(v->cells);
    free(v->texts);
    *v = (peers_values){.numbers = 0};
}
