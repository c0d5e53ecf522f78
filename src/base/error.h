/* Filling an rsq_error. */
#ifndef RSQ_BASE_ERROR_H
#define RSQ_BASE_ERROR_H

#include "resqlite.h"

/*
 * Write a whole error: `code` and a formatted message, everything else at its
 * "unknown" value. `err` may be NULL. Returns `code`, so that a failing
 * function ends with `return rsq_error_set(…)`.
 */
__attribute__((format(printf, 3, 4))) rsq_code rsq_error_set(rsq_error *err, rsq_code code,
                                                             const char *format, ...);

/* A copy that the caller frees; NULL for NULL, and without memory. */
rsq_error *rsq_error_copy(const rsq_error *err);

#endif
