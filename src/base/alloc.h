/*
 * Memory. Every allocation of the library goes through here, so that tests can
 * make the n-th one fail. All functions: any thread; NULL means no memory.
 */
#ifndef RSQ_BASE_ALLOC_H
#define RSQ_BASE_ALLOC_H

#include <stddef.h>

void *rsq_alloc(size_t size);
void *rsq_alloc_zero(size_t size);
void *rsq_realloc(void *p, size_t size);

/* A copy of `len` bytes with a NUL after them; freed with rsq_free(). */
char *rsq_copy_text(const char *text, size_t len);

/* NULL is a no-op. */
void rsq_free(void *p);

#endif
