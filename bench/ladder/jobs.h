/* What is done on the rungs of the ladder: contestants of contest.h. */
#ifndef BENCH_LADDER_JOBS_H
#define BENCH_LADDER_JOBS_H

#include "ladder/contest.h"
#include "ladder/rows.h"
#include "ladder/rungs.h"
#include "place.h"

/* Through a rung and back; `phases` as in contest.h. */
bool job_send(const rung *by, void *state, unsigned caller, rung_request *r, int64_t *phases);

/* The rows of an answer into `*sum`, and free them. */
void job_take_rows(rung_request *r, double *sum);

/* How an answer comes back. */
typedef enum transfer {
    TRANSFER_OWNER,  /* the worker gives it away */
    TRANSFER_COPY,   /* the worker copies it and keeps its own */
    TRANSFER_CLOSURE /* the request is an object on the heap with copies of what it needs; answer given away
                      */
} transfer;

/* ------------------------------------------------------------ rows from memory -- */

#define JOBS_ROWS_MAX 1000

/* A worker that makes `rows` rows of six columns; the caller visits and frees them. */
typedef struct hand_off {
    const rung *rung;
    void *state; /* owned: rung->stop() */
    rows_form form;
    size_t rows; /* 0: nothing to do and no answer */
    transfer by;
} hand_off;

/* Fills `*c`; false: said why. */
bool hand_off_open(hand_off *h, unsigned callers, contestant *c);
void hand_off_close(hand_off *h);

/* ------------------------------------------------------------------- look-ups -- */

#define LOOK_UP_ROWS 100

typedef struct look_ups look_ups; /* the database, and a connection for each worker */

look_ups *look_ups_open(const bench_place *place); /* NULL: said why */
void look_ups_close(look_ups *l);                  /* NULL is a no-op */

/* Look-ups through a rung, or through the library. */
typedef struct look_up {
    look_ups *in;
    const rung *rung; /* NULL: the library */
    void *state;      /* owned */
    rows_form form;
    int way; /* of the library: LOOK_UP_… */
} look_up;

enum { LOOK_UP_SELECT, LOOK_UP_WAIT, LOOK_UP_QUEUE };

bool look_up_open(look_up *u, look_ups *in, unsigned callers, contestant *c);
void look_up_close(look_up *u);

/* -------------------------------------------------------------------- inserts -- */

typedef struct inserts inserts; /* the databases, and the writers */

inserts *inserts_open(const bench_place *place); /* NULL: said why */
void inserts_close(inserts *s);                  /* NULL is a no-op */

typedef struct insert_by {
    inserts *in;
    const rung *rung; /* NULL: the library */
    void *state;      /* owned */
    int way;          /* of the library: INSERT_… */
} insert_by;

enum { INSERT_EXECUTE, INSERT_WAIT, INSERT_QUEUE };

bool insert_by_open(insert_by *u, inserts *in, contestant *c);
void insert_by_close(insert_by *u);

/* Some inserts into the empty table, and the hash of what is in it then. */
bool insert_by_content(insert_by *u, const contestant *c, uint64_t *hash);

/* --------------------------------------------------- by programs of their own -- */

typedef struct by_program {
    const char *plan;        /* of peers/peers.h */
    int which;               /* of peers/process.h */
    struct process *process; /* owned */
} by_program;

bool by_program_open(by_program *p, const bench_place *place, contestant *c);
void by_program_close(by_program *p, const bench_place *place);

#endif
