#include "stream/interval.h"

#include <stddef.h>

#include "base/hash.h"
#include "sql/key.h"

static int compare(const rsq_intervals *t, const rsq_value *a, const rsq_value *b)
{
    return rsq_key_compare(a, b, t->collation);
}

/* No lower end comes before all others. */
static bool begins_before(const rsq_intervals *t, const rsq_interval *a, const rsq_interval *b)
{
    if (!a->has_low || !b->has_low)
        return !a->has_low && b->has_low;
    return compare(t, &a->low, &b->low) < 0;
}

/* No upper end comes after all others. */
static bool ends_before(const rsq_intervals *t, const rsq_interval *a, const rsq_interval *b)
{
    if (!a->has_high || !b->has_high)
        return a->has_high && !b->has_high;
    return compare(t, &a->high, &b->high) < 0;
}

static void update(const rsq_intervals *t, rsq_interval *i)
{
    i->greatest = i;
    if (i->left && ends_before(t, i->greatest, i->left->greatest))
        i->greatest = i->left->greatest;
    if (i->right && ends_before(t, i->greatest, i->right->greatest))
        i->greatest = i->right->greatest;
}

static void put_in_place(rsq_intervals *t, const rsq_interval *of, rsq_interval *child)
{
    rsq_interval *parent = of->parent;

    if (!parent)
        t->root = child;
    else if (parent->left == of)
        parent->left = child;
    else
        parent->right = child;
    if (child)
        child->parent = parent;
}

/* `i` changes places with its parent. */
static void rotate_up(rsq_intervals *t, rsq_interval *i)
{
    rsq_interval *parent = i->parent;
    rsq_interval *moved;

    put_in_place(t, parent, i);
    if (parent->left == i) {
        moved = i->right;
        i->right = parent;
        parent->left = moved;
    } else {
        moved = i->left;
        i->left = parent;
        parent->right = moved;
    }
    parent->parent = i;
    if (moved)
        moved->parent = parent;
    update(t, parent);
    update(t, i);
}

void rsq_intervals_add(rsq_intervals *t, rsq_interval *i)
{
    rsq_interval *parent = NULL, **at = &t->root;

    while (*at) {
        parent = *at;
        at = begins_before(t, i, parent) ? &parent->left : &parent->right;
    }
    *at = i;
    i->left = i->right = NULL;
    i->parent = parent;
    t->seed = rsq_hash_mix(t->seed + 1, 0x9e3779b97f4a7c15u);
    i->priority = rsq_hash_mix(t->seed, t->seed >> 17);
    update(t, i);
    while (i->parent && i->parent->priority < i->priority)
        rotate_up(t, i);
    for (rsq_interval *above = i->parent; above; above = above->parent)
        update(t, above);
}

void rsq_intervals_remove(rsq_intervals *t, rsq_interval *i)
{
    rsq_interval *above;

    while (i->left && i->right)
        rotate_up(t, i->left->priority > i->right->priority ? i->left : i->right);
    put_in_place(t, i, i->left ? i->left : i->right);
    for (above = i->parent; above; above = above->parent)
        update(t, above);
}

static bool reaches(const rsq_intervals *t, const rsq_interval *i, const rsq_value *v)
{
    int difference = i->has_high ? compare(t, v, &i->high) : -1;

    return difference < 0 || (difference == 0 && !i->high_open);
}

static bool has_begun(const rsq_intervals *t, const rsq_interval *i, const rsq_value *v)
{
    int difference = i->has_low ? compare(t, v, &i->low) : 1;

    return difference > 0 || (difference == 0 && !i->low_open);
}

/* The depth is logarithmic, but for luck that nobody has. */
static void ask(const rsq_intervals *t, rsq_interval *i, const rsq_value *low, const rsq_value *high,
                void (*found)(rsq_interval *i, void *ctx), void *ctx)
{
    while (i) {
        rsq_interval *left = i->left, *right = i->right;
        const rsq_interval *greatest = i->greatest;

        /* An end that is open lets some through that are none. */
        if (greatest->has_high && compare(t, low, &greatest->high) > 0)
            return;
        ask(t, left, low, high, found, ctx);
        /* What begins later is to the right. */
        if (i->has_low && compare(t, high, &i->low) < 0)
            return;
        if (has_begun(t, i, high) && reaches(t, i, low))
            found(i, ctx);
        i = right;
    }
}

void rsq_intervals_ask(const rsq_intervals *t, const rsq_value *low, const rsq_value *high,
                       void (*found)(rsq_interval *i, void *ctx), void *ctx)
{
    ask(t, t->root, low, high, found, ctx);
}
