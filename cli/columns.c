/* Column names; see columns.h. */
#include "columns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool columns_same(const char *known, const char *name, size_t len)
{
    size_t i = 0;

    while (i < len && known[i] && lower(known[i]) == lower(name[i]))
        i++;
    return i == len && known[i] == '\0';
}

size_t columns_find(const column_list *c, const char *name, size_t len, size_t guess)
{
    if (guess < c->count && columns_same(c->names[guess], name, len))
        return guess;
    for (size_t i = 0; i < c->count; i++) {
        if (columns_same(c->names[i], name, len))
            return i;
    }
    return COLUMNS_NONE;
}

size_t columns_add(column_list *c, const char *name, size_t len)
{
    char *copy = mem_alloc(len + 1, 1);

    memcpy(copy, name, len);
    if (c->count == c->capacity) {
        c->capacity = mem_grow(c->capacity, 16);
        c->names = mem_resize(c->names, c->capacity, sizeof *c->names);
    }
    c->names[c->count] = copy;
    return c->count++;
}

void columns_fini(column_list *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->names[i]);
    free(c->names);
    memset(c, 0, sizeof *c);
}
