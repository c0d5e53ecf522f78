#include "exec/holder.h"

#include <stdio.h>
#include <string.h>

#include "plat/thread.h"

/* Bytes of a holder's SQL that a message shows. */
#define SHOWN_MAX 60

void rsq_holder_set(rsq_holder *h, const char *sql, size_t sql_len)
{
    h->sql = sql;
    h->sql_len = sql_len;
    h->since_ns = rsq_now_coarse_ns();
}

void rsq_holder_clear(rsq_holder *h)
{
    h->sql = NULL;
}

void rsq_holder_describe(const rsq_holder *h, char *out, size_t size)
{
    size_t used = strlen(out);
    int shown = h->sql_len > SHOWN_MAX ? SHOWN_MAX : (int)h->sql_len;
    int64_t age_ms = (rsq_now_coarse_ns() - h->since_ns) / 1000000;

    if (!h->sql)
        return;
    (void)snprintf(out + used, size - used, "%s\"%.*s%s\" for %lld ms", used ? ", " : "", shown, h->sql,
                   h->sql_len > SHOWN_MAX ? "…" : "", (long long)age_ms);
}

void rsq_holder_copy(const rsq_holder *h, char *out, size_t size)
{
    size_t len = h->sql ? h->sql_len : 0;

    if (len >= size)
        len = size - 1;
    /* Not in the middle of a character. */
    while (len > 0 && h->sql_len > len && ((unsigned char)h->sql[len] & 0xc0) == 0x80)
        len--;
    if (len > 0)
        memcpy(out, h->sql, len);
    out[len] = '\0';
}
