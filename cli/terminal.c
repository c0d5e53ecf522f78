/* What the terminal can do; see terminal.h. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void terminal_size(int fd, size_t *columns, size_t *rows)
{
    struct winsize size;

    *columns = 80;
    *rows = 24;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0)
        return;
    if (size.ws_col)
        *columns = size.ws_col;
    if (size.ws_row)
        *rows = size.ws_row;
}

bool terminal_has_cursor(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool terminal_has_color(int fd)
{
    const char *refused = getenv("NO_COLOR");

    return terminal_has_cursor(fd) && !(refused && *refused);
}
