/* Text for people; see visible.h. */
#include "visible.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "utf8.h"

void visible_init(void)
{
    /* Only LC_CTYPE: numbers keep their point whatever the locale. */
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
        return;
    setlocale(LC_CTYPE, "C.UTF-8");
}

bool visible_is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0)          /* C0, DEL, C1 */
           || cp == 0x061c || cp == 0x200e || cp == 0x200f /* direction marks */
           || (cp >= 0x2028 && cp <= 0x202e)               /* separators, embeddings, overrides */
           || (cp >= 0x2066 && cp <= 0x2069);              /* isolates */
}

#define JOINER 0x200d      /* the emoji before and behind it are one */
#define EMOJI_STYLE 0xfe0f /* the character before it is an emoji, and wide then */

static bool is_unsure(uint32_t cp)
{
    return cp == JOINER || cp == EMOJI_STYLE || (cp >= 0x1f3fb && cp <= 0x1f3ff) /* tones of skin */
           || (cp >= 0x1f1e6 && cp <= 0x1f1ff);                                  /* two letters, a flag */
}

static size_t columns_of(uint32_t cp)
{
    int w = wcwidth((wchar_t)cp);

    if (cp == EMOJI_STYLE)
        return 1;
    if (w >= 0)
        return (size_t)w;
    /* Newer than the C library's table: emoji are where new characters come, and they are wide. */
    return cp >= 0x1f000 && cp < 0x20000 ? 2 : 1;
}

/* Append the escape of one character, or of one byte that is none. Returns its columns. */
static size_t add_escape(strbuf *out, uint32_t cp, bool is_byte)
{
    size_t before = out->len;

    if (cp == '\n')
        strbuf_puts(out, "\\n");
    else if (cp == '\r')
        strbuf_puts(out, "\\r");
    else if (cp == '\t')
        strbuf_puts(out, "\\t");
    else if (is_byte || cp < 0x80)
        strbuf_printf(out, "\\x%02x", (unsigned)cp);
    else
        strbuf_printf(out, "\\u%04x", (unsigned)cp);
    return out->len - before;
}

void visible_lines(strbuf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);

        if (!len)
            (void)add_escape(out, (unsigned char)s[i], true);
        else if (visible_is_control(cp) && cp != '\n' && cp != '\t')
            (void)add_escape(out, cp, false);
        else
            strbuf_add(out, s + i, len);
        i += len ? len : 1;
    }
}

size_t visible_text(strbuf *out, const char *s, size_t n, size_t max)
{
    size_t width = 0, fit_len = out->len, fit_width = 0;

    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);

        if (!len) {
            width += add_escape(out, (unsigned char)s[i], true);
            i++;
        } else if (visible_is_control(cp)) {
            width += add_escape(out, cp, false);
            i += len;
        } else {
            strbuf_add(out, s + i, len);
            width += cp < 0x7f ? 1 : columns_of(cp);
            i += len;
        }
        if (max && width > max) {
            strbuf_cut(out, fit_len);
            strbuf_puts(out, "…");
            return fit_width + 1;
        }
        if (!max || width < max) {
            fit_len = out->len; /* up to here there is still a column for "…" */
            fit_width = width;
        }
    }
    return width;
}

bool visible_is_unsure(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);

        if (len && is_unsure(cp))
            return true;
        i += len ? len : 1;
    }
    return false;
}
