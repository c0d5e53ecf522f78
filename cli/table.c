/* An aligned table; see table.h. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "out.h"
#include "plain.h"
#include "visible.h"

/* A cell is not cut below this many columns. */
#define MIN_CUT 8
#define SEPARATOR_WIDTH 3

typedef struct layout {
    const rsq_result *result; /* borrowed */
    const table_options *options;
    size_t columns; /* shown */
    size_t rows;    /* shown */
    size_t *widths; /* owned */
    size_t *least;  /* owned; the widest number: digits are not cut */
    bool *numeric;  /* owned; all its values are numbers: the name stands on the right too */
    size_t lines;
    strbuf line;
    strbuf cell;
} layout;

static bool is_number(const rsq_value *v)
{
    return v->type == RSQ_INTEGER || v->type == RSQ_REAL;
}

static size_t add_null(strbuf *b, size_t max, bool color)
{
    size_t width;

    strbuf_puts(b, color ? "\033[2m" : "");
    width = visible_text(b, "NULL", 4, max);
    strbuf_puts(b, color ? "\033[0m" : "");
    return width;
}

static size_t add_number(strbuf *b, const rsq_value *v, size_t max)
{
    size_t from = b->len;

    plain_add_number(b, v);
    if (!max || b->len - from <= max)
        return b->len - from;
    strbuf_cut(b, from + max - 1);
    strbuf_puts(b, "…");
    return max;
}

/* Append a cell, cut to `max` columns (0: not). Returns its width. */
static size_t add_cell(strbuf *b, const rsq_value *v, size_t max, bool color)
{
    if (v->type == RSQ_NULL)
        return add_null(b, max, color);
    if (v->type == RSQ_TEXT) {
        if (v->len == 4 && memcmp(v->as.text, "NULL", 4) == 0)
            return visible_text(b, "'NULL'", 6, max);
        return visible_text(b, v->as.text, v->len, max);
    }
    if (v->type == RSQ_BLOB) {
        strbuf hex = {0};
        size_t width;

        strbuf_puts(&hex, "x'");
        plain_add_hex(&hex, v->as.blob, max && v->len > max ? max : v->len);
        strbuf_putc(&hex, '\'');
        width = visible_text(b, hex.data, hex.len, max);
        strbuf_fini(&hex);
        return width;
    }
    return add_number(b, v, max);
}

static size_t name_width(layout *l, size_t column)
{
    const char *name = rsq_result_column_name(l->result, column);

    strbuf_cut(&l->cell, 0);
    return visible_text(&l->cell, name, strlen(name), 0);
}

static void measure(layout *l)
{
    for (size_t c = 0; c < l->columns; c++) {
        bool numbers = true, values = false;

        l->widths[c] = l->options->header ? name_width(l, c) : 0;
        for (size_t i = 0; i < l->rows; i++) {
            const rsq_value *v = rsq_result_cell(l->result, i, c);
            size_t width;

            strbuf_cut(&l->cell, 0);
            width = add_cell(&l->cell, v, is_number(v) ? 0 : l->options->max_width, false);
            if (width > l->widths[c])
                l->widths[c] = width;
            if (is_number(v) && width > l->least[c])
                l->least[c] = width;
            numbers = numbers && (v->type == RSQ_NULL || is_number(v));
            values = values || v->type != RSQ_NULL;
        }
        l->numeric[c] = numbers && values;
    }
    strbuf_cut(&l->cell, 0);
}

static size_t cut_width(const layout *l, size_t column, size_t cut)
{
    size_t most = cut > l->least[column] ? cut : l->least[column];

    return l->widths[column] < most ? l->widths[column] : most;
}

static size_t width_when_cut(const layout *l, size_t cut)
{
    size_t total = 0;

    for (size_t c = 0; c < l->columns; c++)
        total += (c ? SEPARATOR_WIDTH : 0) + cut_width(l, c, cut);
    return total;
}

/* Cut the widest columns until the table fits, then leave out columns if that was not enough. */
static void fit(layout *l)
{
    size_t max = l->options->max_width, cut = max;

    if (!max)
        return;
    while (cut > MIN_CUT && width_when_cut(l, cut) > max)
        cut--;
    while (l->options->clip && l->columns > 1 && width_when_cut(l, cut) > max)
        l->columns--;
    for (size_t c = 0; c < l->columns; c++)
        l->widths[c] = cut_width(l, c, cut);
    /* The last one that is left may be a number that is wider than the terminal. */
    if (l->options->clip && l->columns && l->widths[0] > max)
        l->widths[0] = max;
}

static void end_line(layout *l)
{
    strbuf_puts(&l->line, l->options->line_end ? l->options->line_end : "\n");
    out_take(&l->line);
    l->lines++;
}

/* Terminals disagree about the width of some characters. Wherever the cell ends, the next one begins where it
 * does in all rows, with nothing of a drawing before in between. */
static void end_unsure_cell(layout *l, size_t column)
{
    size_t end = SEPARATOR_WIDTH * column;

    for (size_t c = 0; c <= column; c++)
        end += l->widths[c];
    if (end < l->options->max_width) /* beyond, the line goes on in the next one */
        strbuf_printf(&l->line, "\033[K\033[%zuG", end + 1);
}

/* Append what is in `cell` as the next column. No spaces after the last column's text. */
static void place_cell(layout *l, size_t column, size_t width, bool right)
{
    size_t padding = l->widths[column] > width ? l->widths[column] - width : 0;

    if (column)
        strbuf_puts(&l->line, " | ");
    if (right)
        strbuf_fill(&l->line, ' ', padding);
    strbuf_add(&l->line, l->cell.data, l->cell.len);
    if (!right && column + 1 < l->columns)
        strbuf_fill(&l->line, ' ', padding);
    if (l->options->cursor && column + 1 < l->columns && visible_is_unsure(l->cell.data, l->cell.len))
        end_unsure_cell(l, column);
    strbuf_cut(&l->cell, 0);
}

static void print_header(layout *l)
{
    for (size_t c = 0; c < l->columns; c++) {
        const char *name = rsq_result_column_name(l->result, c);
        size_t width;

        strbuf_cut(&l->cell, 0);
        width = visible_text(&l->cell, name, strlen(name), l->widths[c]);
        place_cell(l, c, width, l->numeric[c]);
    }
    end_line(l);
    for (size_t c = 0; c < l->columns; c++) {
        if (c)
            strbuf_puts(&l->line, "-+-");
        strbuf_fill(&l->line, '-', l->widths[c]);
    }
    end_line(l);
}

static void add_more(strbuf *b, size_t n, const char *what)
{
    if (!n)
        return;
    strbuf_puts(b, b->len ? ", " : "… ");
    plain_add_count(b, n);
    strbuf_printf(b, " more %s%s", what, n == 1 ? "" : "s");
}

static void print_footer(layout *l)
{
    size_t rows = rsq_result_rows(l->result), columns = rsq_result_columns(l->result);

    strbuf_cut(&l->cell, 0);
    add_more(&l->cell, rows - l->rows, "row");
    add_more(&l->cell, columns - l->columns, "column");
    if (l->cell.len) {
        visible_text(&l->line, l->cell.data, l->cell.len, l->options->max_width);
        end_line(l);
    }
    if (!l->options->footer)
        return;
    strbuf_putc(&l->line, '(');
    plain_add_count(&l->line, rows);
    strbuf_puts(&l->line, rows == 1 ? " row)" : " rows)");
    end_line(l);
}

static bool is_marked(const layout *l, size_t row, size_t column)
{
    const table_options *o = l->options;

    return o->color && o->marked && o->marked[row * rsq_result_columns(l->result) + column];
}

/* A marked cell without anything in it is one column wide, so that it is seen. */
static size_t add_marked(layout *l, const rsq_value *v, size_t max)
{
    size_t width;

    strbuf_puts(&l->cell, "\033[7m");
    width = add_cell(&l->cell, v, max, true);
    if (!width && max) {
        strbuf_putc(&l->cell, ' ');
        width = 1;
    }
    strbuf_puts(&l->cell, "\033[0m");
    return width;
}

static void print_row(layout *l, size_t row)
{
    for (size_t c = 0; c < l->columns; c++) {
        const rsq_value *v = rsq_result_cell(l->result, row, c);
        size_t width = is_marked(l, row, c) ? add_marked(l, v, l->widths[c])
                                            : add_cell(&l->cell, v, l->widths[c], l->options->color);

        place_cell(l, c, width, is_number(v));
    }
    end_line(l);
}

size_t table_print(const rsq_result *r, const table_options *options)
{
    layout l = {
        .result = r, .options = options, .columns = rsq_result_columns(r), .rows = rsq_result_rows(r)};

    if (options->max_rows && l.rows > options->max_rows)
        l.rows = options->max_rows;
    l.widths = mem_alloc(l.columns, sizeof *l.widths);
    l.least = mem_alloc(l.columns, sizeof *l.least);
    l.numeric = mem_alloc(l.columns, sizeof *l.numeric);
    measure(&l);
    fit(&l);
    if (options->header)
        print_header(&l);
    for (size_t i = 0; i < l.rows && !out_failed(); i++) {
        print_row(&l, i);
    }
    print_footer(&l);
    strbuf_fini(&l.line);
    strbuf_fini(&l.cell);
    free(l.widths);
    free(l.least);
    free(l.numeric);
    return l.lines;
}
