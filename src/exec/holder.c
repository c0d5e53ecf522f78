#include "exec/holder.h"

#include <stdio.h>
#include <string.h>

#include "plat/thread.h"

/* Bytes of a holder's SQL that a message shows. */
#define SHOWN_MAX 60

void rsq_holder_set(rsq_holder *h, const char *sql, size_t sql_len)
{
    atomic_store_explicit(&h->sql_len, sql_len, memory_order_relaxed);
    atomic_store_explicit(&h->since_ns, rsq_now_coarse_ns(), memory_order_relaxed);
    atomic_store_explicit(&h->sql, sql, memory_order_release);
}

void rsq_holder_clear(rsq_holder *h)
{
    atomic_store_explicit(&h->sql, NULL, memory_order_relaxed);
}

int64_t rsq_holder_age_ns(const rsq_holder *h)
{
    if (!atomic_load_explicit(&h->sql, memory_order_acquire))
        return -1;
    return rsq_now_coarse_ns() - atomic_load_explicit(&h->since_ns, memory_order_relaxed);
}

void rsq_holder_describe(const rsq_holder *h, char *out, size_t size)
{
    const char *sql = atomic_load_explicit(&h->sql, memory_order_acquire);
    size_t len = atomic_load_explicit(&h->sql_len, memory_order_relaxed);
    int shown = len > SHOWN_MAX ? SHOWN_MAX : (int)len;
    size_t used = strlen(out);

    if (!sql)
        return;
    (void)snprintf(out + used, size - used, "%s\"%.*s%s\" for %lld ms", used ? ", " : "", shown, sql,
                   len > SHOWN_MAX ? "…" : "", (long long)(rsq_holder_age_ns(h) / 1000000));
}

void rsq_holder_copy(const rsq_holder *h, char *out, size_t size)
{
    const char *sql = atomic_load_explicit(&h->sql, memory_order_acquire);
    size_t sql_len = sql ? atomic_load_explicit(&h->sql_len, memory_order_relaxed) : 0;
    size_t len = sql_len < size ? sql_len : size - 1;

    /* Not in the middle of a character. */
    while (len > 0 && sql_len > len && ((unsigned char)sql[len] & 0xc0) == 0x80)
        len--;
    if (len > 0)
        memcpy(out, sql, len);
    out[len] = '\0';
}
