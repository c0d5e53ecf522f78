/*
 * Texts that live and die together: those of one chunk of rows.
 */
#ifndef CLI_ARENA_H
#define CLI_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;

typedef struct arena {
    arena_block *blocks; /* owned; the newest first */
    size_t used;         /* bytes of all texts */
} arena;

/** A copy of `n` bytes that stays where it is; borrowed until arena_clear(). */
const char *arena_copy(arena *a, const void *bytes, size_t n);

/** Forget all texts; one block of memory is kept for the next ones. */
void arena_clear(arena *a);

void arena_fini(arena *a);

#endif
