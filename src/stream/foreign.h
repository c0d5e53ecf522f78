/*
 * Commits of other processes, and of other handles on the same file.
 *
 * While streams are open, the timer's thread compares the newest commit number
 * in the shared memory of the log's index with the newest that was told. A
 * higher one is somebody else's, unless one of our own commits is just being
 * told: then the writer is not idle, and it looks again soon. A file watch would
 * be no better judge; see docs/architecture.md.
 *
 * It has a connection of its own, which holds no snapshot and runs nothing but
 * a look at the schema after a commit: it keeps the shared memory mapped
 * whatever becomes of the others.
 */
#ifndef RSQ_STREAM_FOREIGN_H
#define RSQ_STREAM_FOREIGN_H

#include "exec/core.h"

struct rsq_streams;

/* The time between two looks. */
#define RSQ_FOREIGN_LOOK_NS INT64_C(10000000)

/* All-zero: it has not looked yet. */
typedef struct rsq_foreign {
    /* The timer's thread; after it is out of the timer, the one that closes. */
    rsq_conn *conn;    /* owned; NULL: not open */
    uint64_t seen_seq; /* what it saw last */
    unsigned tries;    /* looks in a row that found the writer busy */
    bool useless;      /* there is no shared memory to look at */
    bool knows_schema; /* it has looked before, so it sees whether the schema is another one */
} rsq_foreign;

/* What a look found. */
typedef struct rsq_foreign_news {
    bool committed;      /* somebody else has */
    bool restarted;      /* the numbers have fallen: the index was built anew */
    bool schema_changed; /* and this too, or it is not known */
    uint64_t seq;        /* the newest commit */
    int64_t again_ns;    /* when to look next, from now on */
} rsq_foreign_news;

/* On the timer's thread, with no lock held. */
rsq_foreign_news rsq_foreign_look(rsq_foreign *f, rsq_core *core, struct rsq_streams *ss);

void rsq_foreign_fini(rsq_foreign *f);

#endif
