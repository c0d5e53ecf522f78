/*
 * A gate that one thread waits behind and that another opens, once. Unlike a
 * condition variable it needs no mutex: the thread that was waited for opens it
 * after it gave back all its locks, and the one that comes through takes none.
 */
#ifndef RSQ_PLAT_GATE_H
#define RSQ_PLAT_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To open it releases, and to come through acquires, what was done before. */
typedef struct rsq_gate {
    _Atomic size_t state; /* 0 until it is opened or slept behind; who will sleep may look (plat/spin.h) */
} rsq_gate;

/* Shut it. It needs no end. */
void rsq_gate_init(rsq_gate *g);

/* The waiting thread may have ended the gate before this returns. */
void rsq_gate_open(rsq_gate *g);

/* Sleep until it is open or rsq_now_ns() passes `deadline_ns`; false: it passed. */
bool rsq_gate_wait_until(rsq_gate *g, int64_t deadline_ns);

#endif
