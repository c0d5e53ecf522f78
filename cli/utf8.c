/* UTF-8; see utf8.h. */
#include "utf8.h"

#include <string.h>

/* What the first byte says: how many bytes follow, and the range of the first
 * of them, which is what excludes overlong forms, surrogates and too much. */
typedef struct lead {
    size_t follow;
    unsigned char low, high;
} lead;

static lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (lead){0, 0, 0};
    if (c >= 0xc2 && c <= 0xdf)
        return (lead){1, 0x80, 0xbf};
    if (c >= 0xe0 && c <= 0xef)
        return (lead){2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    if (c >= 0xf0 && c <= 0xf4)
        return (lead){3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    return (lead){SIZE_MAX, 0, 0};
}

/* How many bytes at `s` are as they must be, up to a whole character. */
static size_t matching(const unsigned char *s, size_t n, lead l)
{
    size_t i;

    if (l.follow == SIZE_MAX)
        return 0;
    for (i = 1; i <= l.follow && i < n; i++) {
        unsigned char low = i == 1 ? l.low : 0x80, high = i == 1 ? l.high : 0xbf;

        if (s[i] < low || s[i] > high)
            break;
    }
    return i;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *code_point)
{
    const unsigned char *u = (const unsigned char *)s;
    lead l = lead_of(u[0]);
    uint32_t cp;

    if (l.follow == SIZE_MAX || matching(u, n, l) != l.follow + 1)
        return 0;
    cp = l.follow ? u[0] & (0x3fu >> l.follow) : u[0];
    for (size_t i = 1; i <= l.follow; i++)
        cp = cp << 6 | (u[i] & 0x3fu);
    *code_point = cp;
    return l.follow + 1;
}

size_t utf8_check(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        uint32_t cp;
        uint64_t word;
        size_t len;

        if (n - i >= sizeof word) {
            memcpy(&word, s + i, sizeof word);
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += sizeof word;
                continue;
            }
        }
        len = utf8_decode(s + i, n - i, &cp);
        if (!len)
            return i;
        i += len;
    }
    return n;
}

size_t utf8_bad_length(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t good = matching(u, n, lead_of(u[0]));

    return good ? good : 1;
}
