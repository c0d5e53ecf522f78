/* What changed; see watch_diff.h. */
#include "watch_diff.h"

#include <stdlib.h>
#include <string.h>

#include "json_out.h"
#include "mem.h"
#include "plain.h"
#include "visible.h"

/* --- lines --- */

static void add_cell(strbuf *b, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_NULL:
        strbuf_puts(b, "NULL");
        break;
    case RSQ_TEXT:
        visible_text(b, v->as.text, v->len, 0);
        break;
    case RSQ_BLOB:
        strbuf_puts(b, "x'");
        plain_add_hex(b, v->as.blob, v->len);
        strbuf_putc(b, '\'');
        break;
    default:
        plain_add_number(b, v);
    }
}

static bool is_changed(const rsq_change *c, uint32_t column)
{
    for (uint32_t i = 0; i < c->ncolumns; i++) {
        if (c->columns[i] == column)
            return true;
    }
    return false;
}

static void add_row(strbuf *b, const rsq_stream_event *ev, const rsq_change *c)
{
    bool gone = c->kind == RSQ_CHANGE_DELETE;
    const rsq_result *r = gone ? ev->before : ev->result;
    size_t row = gone ? c->from : c->to;

    for (uint32_t i = 0; i < rsq_result_columns(r); i++) {
        strbuf_puts(b, i ? " | " : "");
        if (is_changed(c, i)) {
            add_cell(b, rsq_result_cell(ev->before, c->from, i));
            strbuf_puts(b, " → ");
        }
        add_cell(b, rsq_result_cell(r, row, i));
    }
    strbuf_putc(b, '\n');
}

void watch_diff_lines(strbuf *b, const rsq_stream_event *ev)
{
    static const char *const marks[] = {"", "+ ", "- ", "~ ", "> "};

    for (size_t i = 0; i < ev->nchanges; i++) {
        strbuf_puts(b, marks[ev->changes[i].kind]);
        add_row(b, ev, &ev->changes[i]);
    }
}

/* --- JSON --- */

static void add_change(strbuf *b, const rsq_stream_event *ev, const rsq_change *c)
{
    switch (c->kind) {
    case RSQ_CHANGE_INSERT:
        strbuf_printf(b, "{\"op\":\"insert\",\"to\":%zu,\"row\":", c->to);
        json_add_row(b, ev->result, c->to);
        break;
    case RSQ_CHANGE_DELETE:
        strbuf_printf(b, "{\"op\":\"delete\",\"from\":%zu,\"row\":", c->from);
        json_add_row(b, ev->before, c->from);
        break;
    default:
        strbuf_printf(b, "{\"op\":\"%s\",\"from\":%zu,\"to\":%zu,\"set\":",
                      c->kind == RSQ_CHANGE_MOVE ? "move" : "update", c->from, c->to);
        json_add_columns(b, ev->result, c->to, c->columns, c->ncolumns);
    }
    strbuf_putc(b, '}');
}

void watch_diff_json(strbuf *b, const rsq_stream_event *ev)
{
    strbuf_putc(b, '[');
    for (size_t i = 0; i < ev->nchanges; i++) {
        if (i)
            strbuf_putc(b, ',');
        add_change(b, ev, &ev->changes[i]);
    }
    strbuf_putc(b, ']');
}

/* --- cells --- */

static bool is_same(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case RSQ_INTEGER:
        return a->as.i == b->as.i;
    case RSQ_REAL:
        return memcmp(&a->as.d, &b->as.d, sizeof a->as.d) == 0;
    case RSQ_TEXT:
        return a->len == b->len && memcmp(a->as.text, b->as.text, a->len) == 0;
    case RSQ_BLOB:
        return a->len == b->len && memcmp(a->as.blob, b->as.blob, a->len) == 0;
    default:
        return true;
    }
}

/* For each row of the answer before: is it gone? Owned by the caller. */
static bool *rows_gone(const rsq_stream_event *ev)
{
    bool *gone = mem_alloc(rsq_result_rows(ev->before) + 1, sizeof *gone);

    for (size_t i = 0; i < ev->nchanges; i++) {
        if (ev->changes[i].kind == RSQ_CHANGE_DELETE)
            gone[ev->changes[i].from] = true;
    }
    return gone;
}

/* A new row where one is gone: without a key nothing says that it is the same one with other values, but it
 * looks so, and what stands out are those. */
static void mark_new_row(bool *cells, const rsq_stream_event *ev, size_t row, const bool *gone)
{
    bool replaces = row < rsq_result_rows(ev->before) && gone[row];
    size_t columns = rsq_result_columns(ev->result);

    for (size_t i = 0; i < columns; i++) {
        cells[row * columns + i] =
            !replaces || !is_same(rsq_result_cell(ev->before, row, i), rsq_result_cell(ev->result, row, i));
    }
}

bool *watch_diff_cells(const rsq_stream_event *ev)
{
    size_t columns = rsq_result_columns(ev->result);
    bool *cells = mem_alloc(rsq_result_rows(ev->result) * columns + 1, sizeof *cells);
    bool *gone = rows_gone(ev);

    for (size_t i = 0; i < ev->nchanges; i++) {
        const rsq_change *c = &ev->changes[i];

        if (c->kind == RSQ_CHANGE_INSERT)
            mark_new_row(cells, ev, c->to, gone);
        for (uint32_t k = 0; c->kind != RSQ_CHANGE_DELETE && k < c->ncolumns; k++)
            cells[c->to * columns + c->columns[k]] = true;
    }
    free(gone);
    return cells;
}
