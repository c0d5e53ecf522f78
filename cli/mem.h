/*
 * Memory that is there.
 *
 * A command that runs out of memory has nothing better to do than to say so
 * and end: whatever it had not committed, SQLite rolls back. So these functions
 * never return NULL, and their callers have no error path for it.
 */
#ifndef CLI_MEM_H
#define CLI_MEM_H

#include <stddef.h>

/** Room for `count` × `size` bytes (at least one byte), zeroed. Owned: free(). */
void *mem_alloc(size_t count, size_t size);

/** `p` (or NULL) with room for `count` × `size` bytes; what is new is not zeroed. Owned: free(). */
void *mem_resize(void *p, size_t count, size_t size);

/** A capacity of at least `need`, at least twice `capacity`, so that growing step by step stays linear. */
size_t mem_grow(size_t capacity, size_t need);

#endif
