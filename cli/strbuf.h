/*
 * A string of bytes that grows at its end. Not NUL-terminated unless
 * strbuf_cstr() was called last. `{0}` is an empty one.
 */
#ifndef CLI_STRBUF_H
#define CLI_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

typedef struct strbuf {
    char *data; /* owned */
    size_t len;
    size_t capacity;
} strbuf;

void strbuf_add(strbuf *b, const void *bytes, size_t n);
void strbuf_puts(strbuf *b, const char *s);
void strbuf_putc(strbuf *b, char c);
void strbuf_fill(strbuf *b, char c, size_t n);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void strbuf_printf(strbuf *b, const char *format, ...);

void strbuf_vprintf(strbuf *b, const char *format, va_list args);

/** `name` as an SQL identifier: in double quotes, those inside it doubled. */
void strbuf_identifier(strbuf *b, const char *name);

/** The bytes with a NUL after them; borrowed until the next call on `b`. */
const char *strbuf_cstr(strbuf *b);

/** Keep the first `len` bytes. The memory stays. */
void strbuf_cut(strbuf *b, size_t len);

void strbuf_fini(strbuf *b);

#endif
