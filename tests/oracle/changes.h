/* Differences, applied as resqlite.h says. */
#ifndef ORACLE_CHANGES_H
#define ORACLE_CHANGES_H

#include <stdbool.h>

#include "resqlite.h"

/* Do the event's changes, applied to `before`, give `result`? */
bool changes_lead_there(const rsq_stream_event *ev);

#endif
