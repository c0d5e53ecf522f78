/* The format rows are printed in; see format.h. */
#include "format.h"

#include <unistd.h>

#include "csv_out.h"
#include "json_out.h"
#include "out.h"
#include "table.h"
#include "terminal.h"

bool format_option(row_format *f, int option)
{
    switch (option) {
    case OPTION_JSON:
        f->format = FORMAT_JSON;
        return true;
    case OPTION_NDJSON:
        f->format = FORMAT_NDJSON;
        return true;
    case OPTION_CSV:
        f->format = FORMAT_CSV;
        return true;
    case OPTION_NO_HEADER:
        f->no_header = true;
        return true;
    default:
        return false;
    }
}

/* For a program that reads the output, nothing is cut and nothing but rows is said. */
static void print_table(const row_format *f, const rsq_result *r)
{
    table_options options = {.header = !f->no_header};
    size_t rows;

    if (isatty(STDOUT_FILENO)) {
        terminal_size(STDOUT_FILENO, &options.max_width, &rows);
        options.footer = !f->no_header;
        options.color = terminal_has_color(STDOUT_FILENO);
        options.cursor = terminal_has_cursor(STDOUT_FILENO);
    }
    table_print(r, &options);
}

static void print_json(const rsq_result *r, bool lines)
{
    size_t rows = rsq_result_rows(r);
    strbuf line = {0};

    if (!lines)
        out_puts("[");
    for (size_t i = 0; i < rows && !out_failed(); i++) {
        if (!lines && i)
            strbuf_putc(&line, ',');
        json_add_row(&line, r, i);
        if (lines)
            strbuf_putc(&line, '\n');
        json_print(line.data, line.len);
        strbuf_cut(&line, 0);
    }
    if (!lines)
        out_puts("]\n");
    strbuf_fini(&line);
}

void format_print(const row_format *f, const rsq_result *r)
{
    switch (f->format) {
    case FORMAT_TABLE:
        print_table(f, r);
        break;
    case FORMAT_CSV:
        csv_print(r, !f->no_header);
        break;
    case FORMAT_JSON:
    case FORMAT_NDJSON:
        print_json(r, f->format == FORMAT_NDJSON);
        break;
    }
}
