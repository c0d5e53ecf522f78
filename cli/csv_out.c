/* Rows as CSV; see csv_out.h. */
#include "csv_out.h"

#include <string.h>

#include "out.h"
#include "plain.h"
#include "visible.h"

/* Spaces at the ends belong to the field, but many readers take them away unless it is quoted. */
static bool needs_quotes(const char *s, size_t n)
{
    if (n == 0 || s[0] == ' ' || s[n - 1] == ' ')
        return true;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == ',' || s[i] == '\r' || s[i] == '\n')
            return true;
    }
    return false;
}

static void add_field(strbuf *line, const char *s, size_t n)
{
    if (!needs_quotes(s, n)) {
        strbuf_add(line, s, n);
        return;
    }
    strbuf_putc(line, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            strbuf_putc(line, '"');
        strbuf_putc(line, s[i]);
    }
    strbuf_putc(line, '"');
}

static void add_cell(strbuf *line, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_NULL:
        break;
    case RSQ_TEXT:
        add_field(line, v->as.text, v->len);
        break;
    case RSQ_BLOB:
        if (v->len)
            plain_add_hex(line, v->as.blob, v->len);
        else
            strbuf_puts(line, "\"\"");
        break;
    default:
        plain_add_number(line, v);
    }
}

static void end_line(strbuf *line)
{
    strbuf safe = {0};

    if (out_is_terminal()) {
        visible_lines(&safe, line->data, line->len);
        strbuf_cut(line, 0);
        strbuf_add(line, safe.data, safe.len);
        strbuf_fini(&safe);
    }
    strbuf_puts(line, "\r\n");
    out_take(line);
}

void csv_print(const rsq_result *r, bool header)
{
    size_t rows = rsq_result_rows(r), columns = rsq_result_columns(r);
    strbuf line = {0};

    for (size_t c = 0; header && c < columns; c++) {
        const char *name = rsq_result_column_name(r, c);

        if (c)
            strbuf_putc(&line, ',');
        add_field(&line, name, strlen(name));
    }
    if (header)
        end_line(&line);
    for (size_t i = 0; i < rows && !out_failed(); i++) {
        for (size_t c = 0; c < columns; c++) {
            if (c)
                strbuf_putc(&line, ',');
            add_cell(&line, rsq_result_cell(r, i, c));
        }
        end_line(&line);
    }
    strbuf_fini(&line);
}
