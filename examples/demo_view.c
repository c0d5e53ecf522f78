/* How the demo is watched; see demo_view.h. */
#include "demo_view.h"

#include <stdio.h>
#include <string.h>

void view_init(view *v, const char *title, double limit)
{
    memset(v, 0, sizeof *v);
    v->title = title;
    v->limit = limit;
    screen_init(&v->screen);
    if (!v->screen.in_place)
        printf("%s\n", title);
}

uint64_t view_period_ns(const view *v)
{
    return v->screen.in_place ? NS_PER_SECOND / 10 : NS_PER_SECOND;
}

void view_event(view *v, double seconds, size_t query, const text *change)
{
    board_line line;

    board_event_line(&line, seconds, query, change);
    board_add_event(&v->board, &line);
    if (v->screen.in_place || v->sampled[query])
        return;
    printf("%s\n", line.text.data);
    v->sampled[query] = true;
}

static void set_line(board_line *line, line_style style, const char *words)
{
    line->style = (int)style;
    text_clear(&line->text);
    text_add(&line->text, "%s", words);
}

/* Title, table, and the events in what is left of the screen. */
static void draw(view *v, const figures *f, bool over)
{
    board_line lines[2 + BOARD_LINES];
    size_t height = screen_height(&v->screen), n = 0;

    set_line(&lines[n], STYLE_PLAIN, v->title);
    if (!over)
        text_add(&lines[n].text, "   %4.1f of %.3g s", f->seconds, v->limit);
    n++;
    n += board_table(&lines[n], f);
    if (height > n + 1) {
        set_line(&lines[n++], STYLE_TITLE, "their events as they come");
        n += board_events(&lines[n], height - n < BOARD_EVENTS ? height - n : BOARD_EVENTS, &v->board);
    }
    screen_draw(&v->screen, lines, n);
}

void view_tick(view *v, const figures *f)
{
    text line;

    if (v->screen.in_place) {
        draw(v, f, false);
        return;
    }
    board_status_line(&line, f);
    printf("%s\n", line.data);
    memset(v->sampled, 0, sizeof v->sampled);
}

void view_end(view *v, const figures *f)
{
    board_line lines[BOARD_TABLE];
    size_t n;

    if (v->screen.in_place) {
        draw(v, f, true);
    } else {
        n = board_table(lines, f);
        printf("\nIn %.1f seconds (the events above are a sample of all):\n", f->seconds);
        for (size_t i = 0; i < n; i++)
            printf("%s\n", lines[i].text.data);
    }
    screen_fini(&v->screen);
}
