/* Texts that live and die together; see arena.h. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define BLOCK_BYTES ((size_t)256 * 1024)

struct arena_block {
    arena_block *next;
    size_t used, capacity;
    char bytes[];
};

const char *arena_copy(arena *a, const void *bytes, size_t n)
{
    arena_block *block = a->blocks;
    char *copy;

    if (!block || block->capacity - block->used < n) {
        size_t capacity = n > BLOCK_BYTES ? n : BLOCK_BYTES;

        block = mem_alloc(1, sizeof *block + capacity);
        block->capacity = capacity;
        block->next = a->blocks;
        a->blocks = block;
    }
    copy = block->bytes + block->used;
    if (n)
        memcpy(copy, bytes, n);
    block->used += n;
    a->used += n;
    return copy;
}

static void free_blocks(arena_block *block)
{
    while (block) {
        arena_block *next = block->next;

        free(block);
        block = next;
    }
}

void arena_clear(arena *a)
{
    arena_block *kept = a->blocks;

    a->used = 0;
    if (!kept)
        return;
    if (kept->capacity > BLOCK_BYTES) { /* one large text must not stay for good */
        arena_fini(a);
        return;
    }
    free_blocks(kept->next);
    kept->next = NULL;
    kept->used = 0;
}

void arena_fini(arena *a)
{
    free_blocks(a->blocks);
    memset(a, 0, sizeof *a);
}
