/*
 * How the demo is watched: in place on a terminal, else as lines, one a second
 * and a sample of the events.
 */
#ifndef DEMO_VIEW_H
#define DEMO_VIEW_H

#include "demo_board.h"
#include "demo_screen.h"

typedef struct view {
    screen screen;
    board board;
    const char *title;
    double limit;               /* seconds that the run takes */
    bool sampled[LIVE_QUERIES]; /* as lines: an event of this query was printed since the last tick */
} view;

void view_init(view *v, const char *title, double limit);

/** Time between two ticks. */
uint64_t view_period_ns(const view *v);

/** An event, as soon as it comes. */
void view_event(view *v, double seconds, size_t query, const text *change);

/** The figures as they are now. */
void view_tick(view *v, const figures *f);

/** The figures of the whole run; whatever is printed then stands below them. */
void view_end(view *v, const figures *f);

#endif
