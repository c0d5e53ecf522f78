/* Rows as JSON; see json_out.h. */
#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "number.h"
#include "out.h"
#include "utf8.h"
#include "visible.h"

static void add_escape(strbuf *b, unsigned char c)
{
    static const char letters[] = "btn\0fr"; /* from 0x08 on; 0x0b has none */

    strbuf_putc(b, '\\');
    if (c == '"' || c == '\\')
        strbuf_putc(b, (char)c);
    else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
        strbuf_putc(b, letters[c - 0x08]);
    else
        strbuf_printf(b, "u%04x", (unsigned)c);
}

void json_add_string(strbuf *b, const char *s, size_t n)
{
    size_t plain = 0; /* start of what is copied as it is */

    strbuf_putc(b, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        uint32_t cp;
        size_t len;

        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        len = c < 0x80 ? 0 : utf8_decode(s + i, n - i, &cp);
        if (len) {
            i += len;
            continue;
        }
        strbuf_add(b, s + plain, i - plain);
        if (c < 0x80) {
            add_escape(b, c);
            i++;
        } else {
            strbuf_puts(b, "\xef\xbf\xbd");
            i += utf8_bad_length(s + i, n - i);
        }
        plain = i;
    }
    strbuf_add(b, s + plain, n - plain);
    strbuf_putc(b, '"');
}

static void add_base64(strbuf *b, const unsigned char *bytes, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    strbuf_putc(b, '"');
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (left > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        strbuf_putc(b, alphabet[group >> 18]);
        strbuf_putc(b, alphabet[group >> 12 & 63]);
        strbuf_putc(b, left > 1 ? alphabet[group >> 6 & 63] : '=');
        strbuf_putc(b, left > 2 ? alphabet[group & 63] : '=');
    }
    strbuf_putc(b, '"');
}

static void add_value(strbuf *b, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        strbuf_printf(b, "%" PRId64, v->as.i);
        break;
    case RSQ_REAL:
        if (isfinite(v->as.d))
            number_add_real(b, v->as.d);
        else
            strbuf_puts(b, "null");
        break;
    case RSQ_TEXT:
        json_add_string(b, v->as.text, v->len);
        break;
    case RSQ_BLOB:
        add_base64(b, v->as.blob, v->len);
        break;
    default:
        strbuf_puts(b, "null");
    }
}

static void add_member(strbuf *b, const rsq_result *r, size_t row, size_t column)
{
    const char *name = rsq_result_column_name(r, column);

    json_add_string(b, name, strlen(name));
    strbuf_putc(b, ':');
    add_value(b, rsq_result_cell(r, row, column));
}

void json_add_row(strbuf *b, const rsq_result *r, size_t row)
{
    size_t columns = rsq_result_columns(r);

    strbuf_putc(b, '{');
    for (size_t c = 0; c < columns; c++) {
        if (c)
            strbuf_putc(b, ',');
        add_member(b, r, row, c);
    }
    strbuf_putc(b, '}');
}

void json_add_columns(strbuf *b, const rsq_result *r, size_t row, const uint32_t *columns, size_t n)
{
    strbuf_putc(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_putc(b, ',');
        add_member(b, r, row, columns[i]);
    }
    strbuf_putc(b, '}');
}

void json_add_rows(strbuf *b, const rsq_result *r)
{
    size_t rows = rsq_result_rows(r);

    strbuf_putc(b, '[');
    for (size_t i = 0; i < rows; i++) {
        if (i)
            strbuf_putc(b, ',');
        json_add_row(b, r, i);
    }
    strbuf_putc(b, ']');
}

void json_print(const char *json, size_t len)
{
    strbuf safe = {0};

    if (!out_is_terminal()) {
        out_write(json, len);
        return;
    }
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t n = utf8_decode(json + i, len - i, &cp);

        if (n && cp >= 0x7f && visible_is_control(cp))
            strbuf_printf(&safe, "\\u%04x", (unsigned)cp);
        else
            strbuf_add(&safe, json + i, n ? n : 1);
        i += n ? n : 1;
    }
    out_take(&safe);
    strbuf_fini(&safe);
}

/* Offset after the string that begins at `i`. */
static size_t skip_string(const char *json, size_t len, size_t i)
{
    for (i++; i < len && json[i] != '"'; i++) {
        if (json[i] == '\\')
            i++;
    }
    return i + 1;
}

/* The objects hold no objects, so each ends at the first brace outside a string. */
void json_print_lines(const char *json, size_t len)
{
    size_t i = 1, start = 1;

    while (i < len && !out_failed()) {
        if (json[i] == '"') {
            i = skip_string(json, len, i);
        } else if (json[i] == '}') {
            json_print(json + start, i + 1 - start);
            out_write("\n", 1);
            i += 2; /* the brace, and the comma or bracket after it */
            start = i;
        } else {
            i++;
        }
    }
}
