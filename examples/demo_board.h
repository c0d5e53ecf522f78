/*
 * What the demo has to show, as lines of text: a table of figures, and the
 * newest events of the live queries. Where the lines go is not known here.
 */
#ifndef DEMO_BOARD_H
#define DEMO_BOARD_H

#include "demo_live.h"
#include "demo_reader.h"
#include "demo_text.h"
#include "demo_writer.h"

/** How a line is meant; on a terminal these are colours. */
typedef enum line_style {
    STYLE_PLAIN,
    STYLE_TITLE,
    STYLE_FAINT,
    STYLE_QUERY
} line_style; /* QUERY + its index */

typedef struct board_line {
    int style;
    text text;
} board_line;

/** All figures at one moment. */
typedef struct figures {
    double seconds;
    reader_figures reads;
    writer_figures writes;
    live_figures queries[LIVE_QUERIES];
} figures;

/* Lines at most: of the table, and of the events below it. */
enum { BOARD_TABLE = 16, BOARD_EVENTS = 16, BOARD_LINES = BOARD_TABLE + BOARD_EVENTS };

typedef struct board {
    board_line events[BOARD_EVENTS]; /* a ring */
    size_t nevents;                  /* all there were */
} board;

/** One line about an event, for the list and for those that print it at once. */
void board_event_line(board_line *line, double seconds, size_t query, const text *change);

/** Remember an event. */
void board_add_event(board *b, const board_line *line);

/** The table of figures. Returns its lines, BOARD_TABLE at most. */
size_t board_table(board_line *lines, const figures *f);

/** The newest `max` events, oldest first. Returns their lines. */
size_t board_events(board_line *lines, size_t max, const board *b);

/** The figures in one line. */
void board_status_line(text *line, const figures *f);

#endif
