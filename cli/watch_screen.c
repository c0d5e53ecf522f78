/* A result drawn in place; see watch_screen.h. */
#include "watch_screen.h"

#include <stdlib.h>
#include <unistd.h>

#include "out.h"
#include "table.h"
#include "terminal.h"
#include "visible.h"

/* Erase what is left of the line, so that nothing of the drawing before shines through. */
#define LINE_END "\033[K\n"

/* The lines around the rows: status, count of what is left out, message, the line of the cursor; and the
 * names with the line below them, for which a low terminal has no room. */
#define OTHER_LINES 4
#define HEADER_LINES 2

static size_t draw_line(const strbuf *text, size_t width)
{
    strbuf line = {0};

    visible_text(&line, text->data, text->len, width);
    strbuf_puts(&line, LINE_END);
    out_take(&line);
    strbuf_fini(&line);
    return 1;
}

static void go_to_top(watch_screen *s)
{
    strbuf move = {0};

    if (s->lines)
        strbuf_printf(&move, "\033[%zuA", s->lines);
    strbuf_putc(&move, '\r');
    out_take(&move);
    strbuf_fini(&move);
    s->lines = 0;
}

void watch_screen_draw(watch_screen *s)
{
    table_options options = {
        .clip = true, .line_end = LINE_END, .max_rows = 1, .marked = s->changed, .cursor = true};
    size_t height;

    options.color = terminal_has_color(STDOUT_FILENO);
    terminal_size(STDOUT_FILENO, &options.max_width, &height);
    options.header = !s->no_header && height > OTHER_LINES + HEADER_LINES;
    if (options.header)
        height -= HEADER_LINES;
    if (height > OTHER_LINES)
        options.max_rows = height - OTHER_LINES;
    go_to_top(s);
    s->lines += draw_line(&s->status, options.max_width);
    if (s->result)
        s->lines += table_print(s->result, &options);
    if (s->message.len)
        s->lines += draw_line(&s->message, options.max_width);
    out_puts("\033[J");
    out_flush();
}

void watch_screen_typed(watch_screen *s, const char *line, size_t len)
{
    size_t width, height, columns;
    strbuf shown = {0};

    terminal_size(STDOUT_FILENO, &width, &height);
    columns = visible_text(&shown, line, len, 0);
    strbuf_fini(&shown);
    s->lines += columns / width + 1;
}

void watch_screen_resized(watch_screen *s)
{
    out_puts("\033[H\033[2J");
    s->lines = 0;
    watch_screen_draw(s);
}

void watch_screen_continued(watch_screen *s)
{
    s->lines = 0;
    watch_screen_draw(s);
}

void watch_screen_interrupted(void)
{
    out_puts("\r\033[K");
}

void watch_screen_fini(watch_screen *s)
{
    rsq_result_unref(s->result);
    free(s->changed);
    strbuf_fini(&s->status);
    strbuf_fini(&s->message);
}
