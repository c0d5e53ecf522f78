/*
 * What changed between two results of a live query: as lines for people, as JSON
 * for programs, and as a map of cells for the table that highlights them.
 */
#ifndef CLI_WATCH_DIFF_H
#define CLI_WATCH_DIFF_H

#include <stdbool.h>

#include <resqlite.h>

#include "strbuf.h"

/**
 * A line for each change of a difference: "+ new row", "- row that is gone",
 * "~ row with old → new cells", "> the same for one that moved".
 */
void watch_diff_lines(strbuf *b, const rsq_stream_event *ev);

/** The changes as a JSON array; see the manual for its form. */
void watch_diff_json(strbuf *b, const rsq_stream_event *ev);

/** For each cell of the result, row by row: is it new? Owned by the caller; free(). */
bool *watch_diff_cells(const rsq_stream_event *ev);

#endif
