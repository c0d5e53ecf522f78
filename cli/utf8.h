/*
 * UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates,
 * nothing beyond U+10FFFF.
 */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** Bytes of the character at `s`, of which `n` > 0 bytes are there, and its number; 0 if it is not one. */
size_t utf8_decode(const char *s, size_t n, uint32_t *code_point);

/** Offset of the first byte that is not part of a character; `n` if there is none. */
size_t utf8_check(const char *s, size_t n);

/**
 * How many bytes at `s` stand for one U+FFFD where utf8_decode() says 0: the
 * longest start of a character, or one byte, as the Unicode standard advises.
 */
size_t utf8_bad_length(const char *s, size_t n);

#endif
