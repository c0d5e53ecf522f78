/* Memory that is there; see mem.h. */
#include "mem.h"

#include <stdint.h>
#include <stdlib.h>

#include "diag.h"

static void *check(void *p)
{
    if (!p) {
        diag_error("out of memory");
        exit(STATUS_SYSTEM);
    }
    return p;
}

void *mem_alloc(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *p, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return check(NULL);
    return check(realloc(p, count && size ? count * size : 1));
}

size_t mem_grow(size_t capacity, size_t need)
{
    if (capacity > SIZE_MAX / 2)
        return need;
    return capacity * 2 > need ? capacity * 2 : need;
}
