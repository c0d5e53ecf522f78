/*
 * A plain database in memory that the same statements run in, with a hook that
 * counts what they did: which of them fired a trigger, removed a row that was
 * in the way, and so on.
 */
#ifndef ORACLE_SHADOW_H
#define ORACLE_SHADOW_H

#include "plan.h"
#include "tally.h"

typedef struct shadow shadow;

shadow *shadow_open(tally *t, bool attaches);
void shadow_close(shadow *s);

/* Run a commit's steps. */
void shadow_run(shadow *s, const plan *p, const commit *c);

#endif
