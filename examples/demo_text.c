/* One line of text; see demo_text.h. */
#include "demo_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void text_clear(text *t)
{
    t->len = 0;
    t->data[0] = '\0';
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Length of the text that was cut after `len` bytes, without a character that was cut through. */
static size_t whole_characters(const char *s, size_t len)
{
    size_t start = len;

    while (start && is_continuation(s[start - 1]))
        start--;
    if (!start || (unsigned char)s[start - 1] < 0xc0)
        return len;
    unsigned char lead = (unsigned char)s[start - 1];
    size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return len - (start - 1) < wants ? start - 1 : len;
}

void text_add(text *t, const char *format, ...)
{
    size_t room = sizeof t->data - t->len;
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(t->data + t->len, room, format, args);
    va_end(args);
    if (wanted < 0) {
        t->data[t->len] = '\0';
    } else if ((size_t)wanted < room) {
        t->len += (size_t)wanted;
    } else {
        t->len = whole_characters(t->data, sizeof t->data - 1);
        t->data[t->len] = '\0';
    }
}

void text_add_data(text *t, const char *s)
{
    while (*s) {
        size_t plain = 0;

        while ((unsigned char)s[plain] >= 0x20 && s[plain] != 0x7f &&
               !((unsigned char)s[plain] == 0xc2 && (unsigned char)s[plain + 1] < 0xa0))
            plain++;
        text_add(t, "%.*s", (int)plain, s);
        s += plain;
        if (!*s)
            return;
        text_add(t, "?");
        s += (unsigned char)*s == 0xc2 && s[1] ? 2 : 1;
    }
}

void text_add_count(text *t, uint64_t n)
{
    if (n >= 1000) {
        text_add_count(t, n / 1000);
        text_add(t, ",%03u", (unsigned)(n % 1000));
    } else {
        text_add(t, "%u", (unsigned)n);
    }
}

void text_add_duration(text *t, uint64_t ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    double value = (double)ns;
    size_t unit = 0;

    if (!ns) {
        text_add(t, "-");
        return;
    }
    while (value >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    text_add(t, "%.*f %s", unit && value < 9.95 ? 1 : 0, value, units[unit]);
}

void text_add_right(text *t, const char *s, size_t columns)
{
    size_t width = text_columns(s);

    text_add(t, "%*s%s", width < columns ? (int)(columns - width) : 0, "", s);
}

void text_add_count_right(text *t, uint64_t n, size_t columns)
{
    text field = {0};

    text_add_count(&field, n);
    text_add_right(t, field.data, columns);
}

void text_add_duration_right(text *t, uint64_t ns, size_t columns)
{
    text field = {0};

    text_add_duration(&field, ns);
    text_add_right(t, field.data, columns);
}

void text_pad(text *t, size_t columns)
{
    size_t width = text_columns(t->data);

    if (width < columns)
        text_add(t, "%*s", (int)(columns - width), "");
}

size_t text_columns(const char *s)
{
    size_t columns = 0;

    for (; *s; s++)
        columns += !is_continuation(*s);
    return columns;
}

size_t text_fit(const char *s, size_t columns)
{
    size_t bytes = 0, used = 0;

    for (; s[bytes]; bytes++) {
        if (!is_continuation(s[bytes]) && used++ == columns)
            break;
    }
    return bytes;
}
