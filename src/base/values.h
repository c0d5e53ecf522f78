/*
 * Values: comparing them, and copies of parameters for a call that outlives its
 * caller's memory: one block, the values first, then the bytes they point at.
 */
#ifndef RSQ_BASE_VALUES_H
#define RSQ_BASE_VALUES_H

#include "resqlite.h"

/* The same type and the same bits: integer 1 and real 1.0 differ, and so do 0.0 and -0.0. */
bool rsq_value_same(const rsq_value *a, const rsq_value *b);

/* `h` with the value mixed in: equal for values that are the same. */
uint64_t rsq_value_hash(uint64_t h, const rsq_value *v);

/* RSQ_OK; RSQ_EINVAL: an unknown type, or bytes at NULL; RSQ_ETOOBIG. */
rsq_code rsq_values_check(const rsq_value *values, size_t n, rsq_error *err);

/* Bytes of a copy. Of checked values. */
size_t rsq_values_size(const rsq_value *values, size_t n);

/* Write the copy to `to`, which is aligned for a value and has room; returns its end. */
char *rsq_values_pack(void *to, const rsq_value *values, size_t n);

/* The same for named parameters; each name, with its NUL, is copied too. */
rsq_code rsq_named_check(const rsq_named *named, size_t n, rsq_error *err);
size_t rsq_named_size(const rsq_named *named, size_t n);
void rsq_named_pack(void *to, const rsq_named *named, size_t n);

#endif
