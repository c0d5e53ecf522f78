/*
 * Text for people: data cannot control the terminal, and its width is known.
 *
 * Control characters, the marks that reorder lines (bidirectional overrides),
 * line separators and bytes that are not UTF-8 are shown as escapes: \n \r \t,
 * \x1b, \u202e. A backslash is shown as it is: this form is for reading, the
 * exact bytes are what --json gives, and --csv if it is not on a terminal.
 */
#ifndef CLI_VISIBLE_H
#define CLI_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strbuf.h"

/** Take the widths of characters from the user's locale, or from C.UTF-8 where that one is not UTF-8. */
void visible_init(void);

/** It moves the cursor, turns the line around, or may be obeyed by a terminal in another way. */
bool visible_is_control(uint32_t code_point);

/** Append `n` bytes of text of several lines: newlines and tabs stay, all else is made visible. */
void visible_lines(strbuf *out, const char *s, size_t n);

/**
 * Append `n` bytes of text, made visible.
 * @param max  at most so many columns, the last one then being "…"; 0: all of it.
 * @return the columns it takes on a terminal.
 */
size_t visible_text(strbuf *out, const char *s, size_t n, size_t max);

/**
 * Does it hold what terminals disagree about? Emoji that are joined, or changed by a character behind them,
 * are drawn as one by some and one after the other by others; visible_text() counts the most that they may
 * take.
 */
bool visible_is_unsure(const char *s, size_t n);

#endif
