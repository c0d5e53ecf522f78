/*
 * What the terminal can do, if there is one.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/** Size of the terminal behind a descriptor; 80 × 24 if it does not say. */
void terminal_size(int fd, size_t *columns, size_t *rows);

/** The descriptor is a terminal that understands escape sequences (TERM is set and not "dumb"). */
bool terminal_has_cursor(int fd);

/** …and the user has not asked for no colours (NO_COLOR). */
bool terminal_has_color(int fd);

#endif
