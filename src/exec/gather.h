/*
 * Waiting for those who were just answered, so that they share the next commit
 * too: threads that write in a loop are back soon after they were answered. Else
 * the first to come back would commit alone, and the others wait for it.
 *
 * All of it under the mutex of the turn.
 */
#ifndef RSQ_EXEC_GATHER_H
#define RSQ_EXEC_GATHER_H

#include "exec/write.h"
#include "plat/thread.h"

typedef struct rsq_gather {
    size_t expected;   /* writes that stand in line when all are back; 0: nobody is waited for */
    int64_t until_ns;  /* for so long */
    unsigned skip;     /* groups for which nobody is waited for, since it was in vain */
    bool waits;        /* the one who leads does */
    rsq_cond all_back; /* or the time is over */
} rsq_gather;

void rsq_gather_init(rsq_gather *g);
void rsq_gather_fini(rsq_gather *g);

/* A commit that took `commit_ns` has answered so many threads, and `line` is who waits now. */
void rsq_gather_expect_locked(rsq_gather *g, const rsq_writes *line, size_t threads, int64_t commit_ns);

/* Somebody has come into line. */
static inline void rsq_gather_came_locked(rsq_gather *g, const rsq_writes *line)
{
    if (g->waits && line->count >= g->expected)
        rsq_cond_signal(&g->all_back);
}

/* Before a group begins: wait until they are back, at most half as long as that commit took. */
void rsq_gather_wait_locked(rsq_gather *g, const rsq_writes *line, rsq_mutex *mu);

#endif
