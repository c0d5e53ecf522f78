/* Numbers from text and to text; see number.h. */
#include "number.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static size_t digits_at(const char *s, size_t n, size_t i)
{
    size_t from = i;

    while (i < n && s[i] >= '0' && s[i] <= '9')
        i++;
    return i - from;
}

/* What the text is by its form alone: NUMBER_NONE, NUMBER_INTEGER or NUMBER_REAL. */
static number_kind form_of(const char *s, size_t n, bool strict)
{
    size_t i = 0, whole, fraction = 0;
    bool point = false;

    if (n && (s[0] == '-' || (!strict && s[0] == '+')))
        i++;
    whole = digits_at(s, n, i);
    if (strict && (whole == 0 || (whole > 1 && s[i] == '0')))
        return NUMBER_NONE;
    i += whole;
    if (i < n && s[i] == '.') {
        point = true;
        fraction = digits_at(s, n, ++i);
        i += fraction;
    }
    if ((strict && point && !fraction) || whole + fraction == 0)
        return NUMBER_NONE;
    if (i == n)
        return point ? NUMBER_REAL : NUMBER_INTEGER;
    if (s[i] != 'e' && s[i] != 'E')
        return NUMBER_NONE;
    i++;
    if (i < n && (s[i] == '+' || s[i] == '-'))
        i++;
    fraction = digits_at(s, n, i);
    return fraction && i + fraction == n ? NUMBER_REAL : NUMBER_NONE;
}

/* The value of `s`, NUL-terminated, whose form is known. */
static number value_of(const char *s, number_kind form)
{
    number v = {form, 0, 0.0};

    errno = 0;
    if (form == NUMBER_INTEGER) {
        v.i = strtoll(s, NULL, 10);
        if (errno == 0) {
            v.d = (double)v.i;
            return v;
        }
        v.kind = NUMBER_LARGE;
    }
    /* A result below the smallest double is near enough to it or to zero; only infinity is out of range. */
    v.d = strtod(s, NULL);
    if (!isfinite(v.d))
        v.kind = NUMBER_RANGE;
    return v;
}

static number parse(const char *s, size_t n, bool strict)
{
    number_kind form = form_of(s, n, strict);
    char local[64], *copy;
    number v = {NUMBER_NONE, 0, 0.0};

    if (form == NUMBER_NONE)
        return v;
    copy = n < sizeof local ? local : mem_alloc(n + 1, 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    v = value_of(copy, form);
    if (copy != local)
        free(copy);
    return v;
}

number number_infer(const char *s, size_t n)
{
    return parse(s, n, true);
}

number number_read(const char *s, size_t n)
{
    return parse(s, n, false);
}

/* Shortest "d.ddde±xx" that reads back as `v`. Fifteen digits are right for all doubles that have so few,
 * except for the smallest ones, which may need fewer. */
static void shortest(char *text, size_t size, double v)
{
    int precision = fabs(v) < DBL_MIN ? 1 : 15;

    do {
        snprintf(text, size, "%.*e", precision - 1, v);
    } while (strtod(text, NULL) != v && precision++ < 17);
}

void number_add_real(strbuf *out, double v)
{
    char text[40], digits[24];
    int count = 0, exponent, point;

    if (v == 0) {
        strbuf_puts(out, signbit(v) ? "-0" : "0");
        return;
    }
    shortest(text, sizeof text, fabs(v));
    for (const char *p = text; *p != 'e'; p++) {
        if (*p != '.')
            digits[count++] = *p;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    exponent = atoi(strchr(text, 'e') + 1);
    point = exponent + 1; /* digits before the point */

    if (v < 0)
        strbuf_putc(out, '-');
    if (point > 21 || point < -5) {
        strbuf_putc(out, digits[0]);
        if (count > 1)
            strbuf_putc(out, '.');
        strbuf_add(out, digits + 1, (size_t)count - 1);
        strbuf_printf(out, "e%+d", exponent);
    } else if (point <= 0) {
        strbuf_puts(out, "0.");
        strbuf_fill(out, '0', (size_t)-point);
        strbuf_add(out, digits, (size_t)count);
    } else if (point >= count) {
        strbuf_add(out, digits, (size_t)count);
        strbuf_fill(out, '0', (size_t)(point - count));
    } else {
        strbuf_add(out, digits, (size_t)point);
        strbuf_putc(out, '.');
        strbuf_add(out, digits + point, (size_t)(count - point));
    }
}
