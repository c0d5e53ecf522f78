/*
 * Option structs of callers that were compiled against another version: theirs
 * may be shorter (the rest means default) or longer (what we do not know must
 * be zero, else it asks for something that we cannot do).
 */
#ifndef RSQ_API_OPTIONS_H
#define RSQ_API_OPTIONS_H

#include "resqlite.h"

/* Copy `from` (NULL: all default) into `to`, which has `size` bytes and begins with its own size_t size. */
rsq_code rsq_options_read(void *to, size_t size, const void *from, rsq_error *err);

/* RSQ_EINVAL: the option called `name` is out of range. */
rsq_code rsq_option_refuse(const char *name, rsq_error *err);

/* How long a transaction or a read in chunks may rest; `ms` is the caller's option, 0 the default. */
uint32_t rsq_option_idle_ms(uint32_t ms);

#endif
