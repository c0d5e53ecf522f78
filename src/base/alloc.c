#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

void *rsq_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *rsq_alloc_zero(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *rsq_realloc(void *p, size_t size)
{
    return realloc(p, size ? size : 1);
}

char *rsq_copy_text(const char *text, size_t len)
{
    char *copy = rsq_alloc(len + 1);

    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void rsq_free(void *p)
{
    free(p);
}
