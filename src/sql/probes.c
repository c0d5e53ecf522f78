/* From the keys that a cursor is placed by to what they ask of a table's rows; see reach.c. */
#include "sql/reach.h"

#include <string.h>

#include "base/alloc.h"

static bool key_column(const rsq_reach *r, const rsq_opened *on, size_t position, rsq_key_column *out)
{
    const rsq_catalog_part *part;

    if (!on->index) {
        *out = (rsq_key_column){.column = RSQ_KEY_ROWID, .collation = RSQ_COLLATION_BINARY};
        return position == 0;
    }
    if (position >= on->index->nparts)
        return false;
    part = &on->index->parts[position];
    *out = (rsq_key_column){.column = part->column == -1 ? RSQ_KEY_ROWID : (uint32_t)part->column,
                            .collation = part->collation};
    if (part->column < -1 || part->collation == RSQ_COLLATION_OTHER)
        return false;
    return part->column == -1 || (!on->table->columns[part->column].is_virtual &&
                                  !rsq_column_set_has(&r->dep->doubtful, (unsigned)part->column));
}

/* The number of a key, made if it is new; -1: no memory. */
static int find_spec(rsq_reach *r, const rsq_key_column *columns, size_t count, bool ranged)
{
    rsq_table_dep *dep = r->dep;
    rsq_key_spec *grown;

    for (size_t i = 0; i < dep->nspecs; i++) {
        const rsq_key_spec *s = &dep->specs[i];

        if (s->ncolumns == count && s->ranged == ranged &&
            memcmp(s->columns, columns, count * sizeof *columns) == 0)
            return (int)i;
    }
    grown = rsq_realloc(dep->specs, (dep->nspecs + 1) * sizeof *grown);
    if (!grown)
        return -1;
    dep->specs = grown;
    grown[dep->nspecs] =
        (rsq_key_spec){.columns = rsq_alloc(count * sizeof *columns), .ncolumns = count, .ranged = ranged};
    if (!grown[dep->nspecs].columns)
        return -1;
    memcpy(grown[dep->nspecs].columns, columns, count * sizeof *columns);
    return (int)dep->nspecs++;
}

static bool copy_operand(rsq_reach *r, rsq_operand *to, const rsq_operand *from)
{
    *to = *from;
    if (!from->text)
        return true;
    to->text = rsq_copy_text(from->text, strlen(from->text));
    r->failed = r->failed || !to->text;
    return to->text != NULL;
}

/* An interval of a region: the ends of the first column in which they differ. */
typedef struct ends {
    const rsq_operand *low, *high; /* borrowed; NULL: none */
    bool low_open, high_open;
} ends;

static bool add_probe(rsq_reach *r, int spec, const rsq_source *equal, const size_t *choice, size_t nequal,
                      const ends *e)
{
    rsq_table_dep *dep = r->dep;
    rsq_probe *grown = rsq_realloc(dep->probes, (dep->nprobes + 1) * sizeof *grown);
    rsq_probe *p;

    if (!grown) {
        r->failed = true;
        return false;
    }
    dep->probes = grown;
    p = &grown[dep->nprobes];
    *p = (rsq_probe){.spec = (uint32_t)spec, .equal = rsq_alloc_zero(nequal * sizeof *p->equal)};
    if (!p->equal) {
        r->failed = true;
        return false;
    }
    dep->nprobes++;
    for (size_t i = 0; i < nequal; i++) {
        if (!copy_operand(r, &p->equal[i], &equal[i].operands[choice[i]]))
            return false;
    }
    p->has_low = e->low != NULL;
    p->has_high = e->high != NULL;
    p->low_open = e->low_open;
    p->high_open = e->high_open;
    return (!e->low || copy_operand(r, &p->low, e->low)) && (!e->high || copy_operand(r, &p->high, e->high));
}

/* One probe for each way to choose from the lists. */
static bool add_choices(rsq_reach *r, int spec, const rsq_source *equal, size_t nequal, const ends *e)
{
    size_t *choice = rsq_alloc_zero(nequal * sizeof *choice);
    size_t at;

    if (!choice) {
        r->failed = true;
        return false;
    }
    do {
        if (r->dep->nprobes >= RSQ_PROBES_MAX || !add_probe(r, spec, equal, choice, nequal, e)) {
            rsq_free(choice);
            return false;
        }
        for (at = 0; at < nequal && ++choice[at] == equal[at].count; at++)
            choice[at] = 0;
    } while (at < nequal);
    rsq_free(choice);
    return true;
}

/* Written by the same step, and not made something else since. */
static bool is_same_source(const rsq_source *a, const rsq_source *b)
{
    if (a->def != b->def || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->operands[i].affinity, b->operands[i].affinity, sizeof a->operands[i].affinity) != 0)
            return false;
    }
    return true;
}

/* Columns in which both ends are the same value. */
static size_t count_equal(const rsq_region *g)
{
    size_t n = 0;

    while (n < g->low.count && n < g->high.count && is_same_source(&g->low.sources[n], &g->high.sources[n]))
        n++;
    return n;
}

/* The ends in column `at`. An end that goes on in further columns may have rows of its own value on both
 * sides. False: it is not one value. */
static bool take_ends(const rsq_region *g, size_t at, ends *e)
{
    const rsq_bound *low = &g->low, *high = &g->high;
    const rsq_catalog_part *part = g->on->index ? &g->on->index->parts[at] : NULL;

    if ((low->count > at && low->sources[at].count != 1) ||
        (high->count > at && high->sources[at].count != 1))
        return false;
    if (part && part->descending) {
        low = &g->high;
        high = &g->low;
    }
    if (low->count > at && low->sources[at].operands[0].kind != RSQ_OPERAND_NULL)
        e->low = &low->sources[at].operands[0];
    if (high->count > at && high->sources[at].operands[0].kind != RSQ_OPERAND_NULL)
        e->high = &high->sources[at].operands[0];
    e->low_open = e->low && low->open && low->count == at + 1;
    e->high_open = e->high && high->open && high->count == at + 1;
    return true;
}

/* Columns of one key at most. */
#define KEY_COLUMNS_MAX 16

bool rsq_probes_add_region(rsq_reach *r, const rsq_region *g)
{
    rsq_key_column columns[KEY_COLUMNS_MAX] = {{0}};
    size_t nequal = count_equal(g);
    bool ranged = nequal < g->low.count || nequal < g->high.count;
    ends e = {0};
    int spec;

    if (nequal + (ranged ? 1 : 0) > KEY_COLUMNS_MAX || (!ranged && (g->low.open || g->high.open)))
        return false;
    for (size_t i = 0; i < nequal + (ranged ? 1 : 0); i++) {
        if (!key_column(r, g->on, i, &columns[i]))
            return false;
    }
    if (ranged && !take_ends(g, nequal, &e))
        return false;
    ranged = e.low || e.high;
    if (nequal == 0 && !ranged)
        return false;
    spec = find_spec(r, columns, nequal + (ranged ? 1 : 0), ranged);
    if (spec < 0) {
        r->failed = true;
        return false;
    }
    return add_choices(r, spec, g->low.sources, nequal, &e);
}

bool rsq_probes_add_rowid(rsq_reach *r, const rsq_source *rowid)
{
    rsq_key_column column = {.column = RSQ_KEY_ROWID, .collation = RSQ_COLLATION_BINARY};
    int spec = find_spec(r, &column, 1, false);
    ends none = {0};

    r->failed = r->failed || spec < 0;
    return spec >= 0 && add_choices(r, spec, rowid, 1, &none);
}
