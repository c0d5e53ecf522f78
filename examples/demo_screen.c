/* Lines drawn in place; see demo_screen.h. */
#include "demo_screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void screen_init(screen *s)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    memset(s, 0, sizeof *s);
    s->in_place = isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    s->colors = s->in_place && !(no_color && *no_color);
}

/* A terminal that changed its width has moved the old lines about: it is cleared. */
static void measure(screen *s)
{
    struct winsize size = {0};
    size_t columns = 80, rows = 24;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        columns = size.ws_col;
        rows = size.ws_row;
    }
    if (s->drawn && (columns != s->columns || rows != s->rows)) {
        fputs("\033[H\033[2J", stdout);
        s->drawn = 0;
    }
    s->columns = columns;
    s->rows = rows;
}

size_t screen_height(screen *s)
{
    measure(s);
    return s->rows - 1; /* the cursor waits in the line below */
}

static const char *style_codes(int style)
{
    static const char *const queries[LIVE_QUERIES] = {"\033[33m", "\033[36m", "\033[32m"};

    switch (style) {
    case STYLE_PLAIN:
        return "";
    case STYLE_TITLE:
        return "\033[1m";
    case STYLE_FAINT:
        return "\033[2m";
    default:
        return queries[style - STYLE_QUERY];
    }
}

void screen_draw(screen *s, const board_line *lines, size_t n)
{
    measure(s);
    /* Without automatic line breaks a line that is wider than it seems does not push the others down. */
    fputs("\033[?25l\033[?7l", stdout);
    if (s->drawn)
        printf("\033[%zuA", s->drawn);
    if (n > s->rows - 1)
        n = s->rows - 1;
    for (size_t i = 0; i < n; i++)
        printf("\r%s%.*s%s\033[K\n", s->colors ? style_codes(lines[i].style) : "",
               (int)text_fit(lines[i].text.data, s->columns), lines[i].text.data, s->colors ? "\033[0m" : "");
    fputs("\033[J\033[?7h", stdout);
    fflush(stdout);
    s->drawn = n;
}

void screen_fini(screen *s)
{
    if (s->in_place)
        fputs(SCREEN_RESTORE, stdout);
    fflush(stdout);
}
