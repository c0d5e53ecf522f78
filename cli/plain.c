/* Values as plain text; see plain.h. */
#include "plain.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

void plain_add_number(strbuf *b, const rsq_value *v)
{
    size_t from = b->len;

    if (v->type == RSQ_INTEGER) {
        strbuf_printf(b, "%" PRId64, v->as.i);
    } else if (!isfinite(v->as.d)) {
        strbuf_puts(b, v->as.d < 0 ? "-Inf" : "Inf");
    } else {
        number_add_real(b, v->as.d);
        if (!memchr(b->data + from, '.', b->len - from) && !memchr(b->data + from, 'e', b->len - from))
            strbuf_puts(b, ".0");
    }
}

void plain_add_hex(strbuf *b, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++) {
        strbuf_putc(b, digits[p[i] >> 4]);
        strbuf_putc(b, digits[p[i] & 15]);
    }
}

void plain_add_count(strbuf *b, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            strbuf_putc(b, ',');
        strbuf_putc(b, digits[i]);
    }
}
