/*
 * A block of lines at the bottom of what the terminal shows, drawn again in
 * place. Lines are cut at the right edge, and the block at the height of the
 * terminal. The cursor is hidden in between and always brought back.
 */
#ifndef DEMO_SCREEN_H
#define DEMO_SCREEN_H

#include <stdbool.h>

#include "demo_board.h"

typedef struct screen {
    bool in_place; /* standard output is a terminal that can move its cursor */
    bool colors;
    size_t columns, rows; /* of the terminal, when the block was drawn last */
    size_t drawn;         /* lines of the block */
} screen;

/** Bytes that bring the cursor back; also what a signal handler writes. */
#define SCREEN_RESTORE "\033[?7h\033[?25h\033[0m"

void screen_init(screen *s);

/** Lines that fit. */
size_t screen_height(screen *s);

/** Draw the block, in place of the one before. */
void screen_draw(screen *s, const board_line *lines, size_t n);

/** Leave the block where it is, and go on below it with what is printed next. */
void screen_fini(screen *s);

#endif
