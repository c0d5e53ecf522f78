/*
 * Rows of a CSV file, by libcsv in its strict mode: RFC 4180, with LF, CR LF
 * or CR at the ends of lines. The first line names the columns.
 *
 * libcsv says neither where a field was nor which bytes it came from, and
 * cannot be stopped from a callback. So it gets the file in pieces that end
 * after each CR or LF: a row ends exactly where a piece ends, and the bytes of
 * the row, kept by the input, are looked at again only when something is wrong.
 */
#include "import.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "utf8.h"

typedef struct csv_reader {
    reader *r; /* borrowed */
    struct csv_parser parser;
    import_field *fields; /* owned */
    size_t count, capacity;
    uint64_t row_start;
    uint64_t piece_end;
    bool in_row;      /* the current row has begun in an earlier piece */
    bool names_known; /* the header line is behind us */
    bool stopped;     /* failed: what libcsv still reports is ignored */
} csv_reader;

/* Where field `index` of the row at `start` begins. The row is well-formed up to there. */
static uint64_t find_field(const input *in, uint64_t start, uint64_t end, size_t index)
{
    const char *p = input_at(in, start), *stop = input_at(in, end);
    bool quoted = false;
    uint64_t found = start;

    for (; p < stop && index; p++) {
        if (*p == '"')
            quoted = !quoted;
        if (*p == ',' && !quoted) {
            index--;
            found = start + (uint64_t)(p + 1 - input_at(in, start));
        }
    }
    return found;
}

static uint64_t find_field_of_row(const reader *r, const import_row *row, size_t index)
{
    return find_field(r->in, row->offset, input_end(r->in), index);
}

/* libcsv's callbacks have no way to say no: they set `stopped`. */
static void on_field(void *text, size_t len, void *ctx)
{
    csv_reader *c = ctx;
    import_field *f;

    if (c->stopped)
        return;
    if (c->count == c->capacity) {
        c->capacity = mem_grow(c->capacity, 16);
        c->fields = mem_resize(c->fields, c->capacity, sizeof *c->fields);
    }
    if (text && utf8_check(text, len) < len) {
        uint64_t start = find_field(c->r->in, c->row_start, c->piece_end, c->count);
        size_t bytes = (size_t)(c->piece_end - start);

        /* Escaped quotes make the field shorter than its bytes, but none of them is what is wrong. */
        start += utf8_check(input_at(c->r->in, start), bytes);
        c->stopped = !import_fail_at(c->r, start, "not UTF-8");
        return;
    }
    if (len > IMPORT_TEXT_MAX) {
        c->stopped = !import_fail_at(c->r, c->row_start, "a field of more than %zu bytes", IMPORT_TEXT_MAX);
        return;
    }
    f = &c->fields[c->count];
    f->kind = text ? FIELD_TEXT : FIELD_EMPTY;
    f->column = c->count;
    f->text = arena_copy(c->r->texts, text ? text : "", len);
    f->len = len;
    f->offset = UINT64_MAX;
    c->count++;
}

/* The header line: every field is a new name. */
static bool take_names(csv_reader *c)
{
    for (size_t i = 0; i < c->count; i++) {
        uint64_t offset = find_field(c->r->in, c->row_start, c->piece_end, i);
        size_t index;

        if (!import_column(c->r, c->fields[i].text, c->fields[i].len, offset, i, &index))
            return false;
        if (index != i)
            return import_fail_at(c->r, offset, "the column name \"%s\" appears twice",
                                  c->r->columns->names[index]);
    }
    c->names_known = true;
    return true;
}

static bool take_row(csv_reader *c)
{
    size_t expected = c->r->columns->count;
    import_row row = {c->fields, c->count, c->row_start};

    if (!c->names_known)
        return take_names(c);
    if (c->count > expected) {
        uint64_t offset = find_field(c->r->in, c->row_start, c->piece_end, expected);

        return import_fail_at(c->r, offset, "%zu fields, but the header has %zu", c->count, expected);
    }
    if (c->count < expected)
        return import_fail_at(c->r, c->row_start, "%zu fields, but the header has %zu", c->count, expected);
    if (!c->r->on_row(c->r->ctx, c->r, &row))
        return false;
    c->r->rows++;
    return true;
}

static void on_row(int terminator, void *ctx)
{
    csv_reader *c = ctx;

    (void)terminator;
    if (c->stopped)
        return;
    c->stopped = !take_row(c);
    c->count = 0;
    c->in_row = false;
}

/* End of the piece that begins at `from`: after the next CR or LF, or at the end of the file. */
static uint64_t end_of_piece(reader *r, uint64_t from)
{
    uint64_t searched = from;

    for (;;) {
        const char *p = input_at(r->in, searched), *end = p + (input_end(r->in) - searched);

        while (p < end && *p != '\n' && *p != '\r')
            p++;
        searched += (uint64_t)(p - input_at(r->in, searched));
        if (p < end)
            return searched + 1;
        progress_update(r->progress, input_end(r->in), r->rows);
        if (!input_more(r->in))
            return searched;
    }
}

static bool parse_piece(csv_reader *c, uint64_t from)
{
    size_t n = (size_t)(c->piece_end - from), done;
    char last = *input_at(c->r->in, c->piece_end - 1);

    if (!c->in_row)
        c->row_start = from;
    if (n > 1 || (last != '\n' && last != '\r'))
        c->in_row = true;
    done = csv_parse(&c->parser, input_at(c->r->in, from), n, on_field, on_row, c);
    if (c->stopped)
        return false;
    if (done == n)
        return true;
    if (csv_error(&c->parser) == CSV_ENOMEM || csv_error(&c->parser) == CSV_ETOOBIG)
        return import_fail_at(c->r, c->row_start, "a field is too large");
    return import_fail_at(c->r, from + done,
                          *input_at(c->r->in, from + done) == '"'
                              ? "a quote inside a field that does not begin with one"
                              : "text after the closing quote of a field");
}

static bool finish(csv_reader *c)
{
    if (csv_fini(&c->parser, on_field, on_row, c) != 0 && !c->stopped) {
        uint64_t offset = find_field(c->r->in, c->row_start, c->piece_end, c->count);

        return import_fail_at(c->r, offset, "the quoted field that begins here is not closed");
    }
    if (c->stopped)
        return false;
    return c->names_known || import_fail_at(c->r, c->piece_end, "no line with column names");
}

static bool read_all(csv_reader *c)
{
    input *in = c->r->in;

    for (;;) {
        uint64_t from = c->piece_end;

        if (!c->in_row)
            input_set_mark(in, from);
        c->piece_end = end_of_piece(c->r, from);
        if (!import_check_input(c->r))
            return false;
        if (c->piece_end == from)
            return finish(c);
        if (!parse_piece(c, from))
            return false;
    }
}

static int never_space(unsigned char c)
{
    (void)c;
    return 0;
}

bool import_read_csv(reader *r)
{
    csv_reader c = {.r = r};
    bool ok;

    if (csv_init(&c.parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
        return import_fail_at(r, 0, "the CSV parser does not start");
    csv_set_space_func(&c.parser, never_space); /* spaces at the ends belong to the field */
    r->find_field = find_field_of_row;
    input_skip_bom(r->in);
    c.piece_end = r->in->mark.offset;
    ok = read_all(&c);
    csv_free(&c.parser);
    free(c.fields);
    return ok;
}
