/*
 * gate(), an SQL function that gives 1 on every connection of the process. While
 * the gate is closed, a query that comes to it on another thread waits there: so
 * a commit can be made to meet a query that runs, without luck.
 */
#ifndef ORACLE_GATE_H
#define ORACLE_GATE_H

#include <stdbool.h>

/* For connections that are opened from now on. */
void gate_register(void);

/* The calling thread passes all the same. */
void gate_close(void);
void gate_open(void); /* an open one is a no-op */
bool gate_is_closed(void);

/* How many wait at it. */
unsigned gate_guests(void);

#endif
