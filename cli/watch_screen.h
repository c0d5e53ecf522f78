/*
 * A result that is drawn again in the same place of the terminal.
 *
 * Not the terminal's alternate screen: what was drawn last stays there when
 * the command ends. So before each drawing the cursor goes up by as many lines
 * as were drawn, and the drawing never is higher or wider than the terminal.
 */
#ifndef CLI_WATCH_SCREEN_H
#define CLI_WATCH_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include <resqlite.h>

#include "strbuf.h"

typedef struct watch_screen {
    rsq_result *result; /* a reference; NULL before the first */
    bool *changed;      /* owned; by row and column: cells that stand out; NULL: none */
    strbuf status;      /* owned; the line on top */
    strbuf message;     /* owned; the last error, below the table; empty: none */
    bool no_header;
    size_t lines; /* between the top of the drawing and the cursor */
} watch_screen;

/** Draw the result with its status line and message. */
void watch_screen_draw(watch_screen *s);

/** The user has typed a line of `len` bytes, echoed by the terminal below the drawing. */
void watch_screen_typed(watch_screen *s, const char *line, size_t len);

/** The terminal has another size: what is drawn is somewhere else now. */
void watch_screen_resized(watch_screen *s);

/** The command was stopped and goes on: the shell has written since, and what was drawn stays above that. */
void watch_screen_continued(watch_screen *s);

/** The user has ended it: the terminal shows "^C" where the shell will write. */
void watch_screen_interrupted(void);

void watch_screen_fini(watch_screen *s);

#endif
