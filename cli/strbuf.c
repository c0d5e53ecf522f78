/* A string of bytes that grows at its end; see strbuf.h. */
#include "strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static char *room(strbuf *b, size_t n)
{
    if (b->capacity - b->len < n) {
        b->capacity = mem_grow(b->capacity, b->len + n + 64);
        b->data = mem_resize(b->data, b->capacity, 1);
    }
    return b->data + b->len;
}

void strbuf_add(strbuf *b, const void *bytes, size_t n)
{
    if (!n)
        return;
    memcpy(room(b, n), bytes, n);
    b->len += n;
}

void strbuf_puts(strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}

void strbuf_putc(strbuf *b, char c)
{
    *room(b, 1) = c;
    b->len++;
}

void strbuf_fill(strbuf *b, char c, size_t n)
{
    if (!n)
        return;
    memset(room(b, n), c, n);
    b->len += n;
}

void strbuf_printf(strbuf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    strbuf_vprintf(b, format, args);
    va_end(args);
}

void strbuf_vprintf(strbuf *b, const char *format, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        return;
    vsnprintf(room(b, (size_t)n + 1), (size_t)n + 1, format, args);
    b->len += (size_t)n;
}

void strbuf_identifier(strbuf *b, const char *name)
{
    strbuf_putc(b, '"');
    for (; *name; name++) {
        if (*name == '"')
            strbuf_putc(b, '"');
        strbuf_putc(b, *name);
    }
    strbuf_putc(b, '"');
}

const char *strbuf_cstr(strbuf *b)
{
    *room(b, 1) = '\0';
    return b->data;
}

void strbuf_cut(strbuf *b, size_t len)
{
    if (len < b->len)
        b->len = len;
}

void strbuf_fini(strbuf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}
