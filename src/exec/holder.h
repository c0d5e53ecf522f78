/*
 * Who holds a connection, for the message of a time-out. The SQL is borrowed:
 * it stays valid while the holder's call runs, and it is only looked at, under
 * the owner's mutex, while the lease lasts.
 */
#ifndef RSQ_EXEC_HOLDER_H
#define RSQ_EXEC_HOLDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct rsq_holder {
    const char *sql; /* borrowed for the lease; NULL: not leased */
    size_t sql_len;
    int64_t since_ns; /* rsq_now_coarse_ns() */
} rsq_holder;

void rsq_holder_set(rsq_holder *h, const char *sql, size_t sql_len);
void rsq_holder_clear(rsq_holder *h);

/* The SQL, cut to `size`; empty if there is no holder. */
void rsq_holder_copy(const rsq_holder *h, char *out, size_t size);

/* Append `"SQL" for N ms` to the text in `out`, cut to `size`; nothing if there is no holder. */
void rsq_holder_describe(const rsq_holder *h, char *out, size_t size);

#endif
