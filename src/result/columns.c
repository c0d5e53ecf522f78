#include "result/columns.h"

#include <string.h>

#include "base/alloc.h"

rsq_columns *rsq_columns_new(const char *const *names, uint32_t count)
{
    size_t bytes = sizeof(rsq_columns) + count * sizeof(char *);
    size_t text = bytes;
    rsq_columns *c;

    for (uint32_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    bytes += count * sizeof(bool);
    c = rsq_alloc(bytes);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->count = count;
    for (uint32_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;

        memcpy((char *)c + text, names[i], size);
        c->names[i] = (char *)c + text;
        text += size;
    }
    c->keys = (bool *)((char *)c + text);
    for (uint32_t i = 0; i < count; i++)
        c->keys[i] = false;
    return c;
}

void rsq_columns_mark_key(rsq_columns *c, uint32_t column)
{
    c->keys[column] = true;
}

bool rsq_columns_equal(const rsq_columns *a, const rsq_columns *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    }
    return true;
}

rsq_columns *rsq_columns_ref(rsq_columns *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void rsq_columns_unref(rsq_columns *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        rsq_free(c);
}
