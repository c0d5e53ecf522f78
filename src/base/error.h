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

#endif
