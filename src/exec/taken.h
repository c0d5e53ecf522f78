/*
 * Statements at the head of the line that whoever has the turn has taken, to run
 * them together (sql/group.c asks for one after the other). They stay in line
 * until they are done; those that were not run after all wait again.
 *
 * Who has the turn; what is `_locked`, under its mutex.
 */
#ifndef RSQ_EXEC_TAKEN_H
#define RSQ_EXEC_TAKEN_H

#include "exec/turn.h"

/* Asynchronous statements that are taken at once. */
#define RSQ_TAKEN_AHEAD 16

typedef struct rsq_taken {
    rsq_turn *turn;                     /* borrowed; immutable */
    rsq_members members;                /* those that stand next in line */
    rsq_write *last;                    /* the one taken last; NULL: none is */
    rsq_member *ahead[RSQ_TAKEN_AHEAD]; /* taken with one lock, and not handed out from `ahead_at` on */
    unsigned ahead_at, ahead_count;
} rsq_taken;

void rsq_taken_init(rsq_taken *t, rsq_turn *turn);

/* The first in line that is not taken, if it is a statement: it is about to run. NULL: it is not, or there is
 * none. */
rsq_member *rsq_taken_next_locked(rsq_taken *t);

/*
 * The first `n` of those from `m` on are done, and out of line: the asynchronous
 * ones and those of threads, for the caller to tell when it has given back the
 * mutex. The others wait again, if their time is not over.
 */
void rsq_taken_settle_locked(rsq_taken *t, rsq_member *m, size_t n, rsq_writes *asynchronous,
                             rsq_writes *threads);

#endif
