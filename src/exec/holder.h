/*
 * Who holds a connection, for the message of a time-out. The SQL is borrowed:
 * it stays valid while the holder's call runs, and it is only looked at while
 * the lease cannot end.
 */
#ifndef RSQ_EXEC_HOLDER_H
#define RSQ_EXEC_HOLDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Written by the holder, read by whoever keeps the lease from ending. A reader's
 * may be set just then, so `sql` releases and acquires the other two.
 */
typedef struct rsq_holder {
    _Atomic(const char *) sql; /* borrowed for the lease; NULL: not leased */
    _Atomic size_t sql_len;
    _Atomic int64_t since_ns; /* rsq_now_coarse_ns() */
} rsq_holder;

void rsq_holder_set(rsq_holder *h, const char *sql, size_t sql_len);
void rsq_holder_clear(rsq_holder *h);

/* For how long it has held, in ns; -1: there is no holder. */
int64_t rsq_holder_age_ns(const rsq_holder *h);

/* The SQL, cut to `size`; empty if there is no holder. */
void rsq_holder_copy(const rsq_holder *h, char *out, size_t size);

/* Append `"SQL" for N ms` to the text in `out`, cut to `size`; nothing if there is no holder. */
void rsq_holder_describe(const rsq_holder *h, char *out, size_t size);

#endif
