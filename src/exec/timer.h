/*
 * Deadlines: one thread that calls a function when a time has come.
 *
 * Entries are kept in the order of their times. Most have the same distance, so
 * a new one belongs at the end, where the search for its place begins. Removing
 * one does not wake the thread, and adding one only does when it is due before
 * the thread would wake anyway: a stream of calls with the same limit makes no
 * system call for it.
 */
#ifndef RSQ_EXEC_TIMER_H
#define RSQ_EXEC_TIMER_H

#include "plat/thread.h"
#include "resqlite.h"

typedef struct rsq_timer_entry {
    /* On the timer's thread, with no lock held. Returns the next time, or RSQ_NO_DEADLINE. */
    int64_t (*due)(struct rsq_timer_entry *entry);

    /* Any thread, under the timer's mutex. */
    int64_t at_ns;
    bool linked;
    bool removing; /* somebody waits for its function to end, after which it is not called again */
    struct rsq_timer_entry *prev, *next;
} rsq_timer_entry;

typedef struct rsq_timer {
    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond changed; /* an earlier entry, or the end */
    rsq_cond called;  /* a call has returned */
    rsq_timer_entry *first, *last;
    rsq_timer_entry *calling; /* whose function runs */
    uintptr_t self;           /* the thread, as rsq_thread_self() names it */
    int64_t wakes_at_ns;      /* when the thread looks next */
    bool started;
    bool stopping;
    rsq_thread thread; /* immutable once started */
} rsq_timer;

void rsq_timer_init(rsq_timer *t);
void rsq_timer_fini(rsq_timer *t);

/* Have the thread. RSQ_OK or RSQ_ENOMEM. */
rsq_code rsq_timer_ensure(rsq_timer *t, rsq_error *err);

/* After rsq_timer_ensure(). The entry is borrowed until it was removed. An entry that is there moves to an
 * earlier time only. */
void rsq_timer_add(rsq_timer *t, rsq_timer_entry *entry, int64_t at_ns);

/*
 * After this the function does not run and will not: it waits for one that does,
 * unless it is called from inside it, which then returns RSQ_NO_DEADLINE.
 */
void rsq_timer_remove(rsq_timer *t, rsq_timer_entry *entry);

#endif
