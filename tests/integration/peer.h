/*
 * Another process that commits with plain SQLite whenever it is told to: raw_commits, see there for the
 * commands. One for each test at most; the teardown ends it when a failed assertion jumped over its end.
 */
#ifndef RSQ_TESTS_PEER_H
#define RSQ_TESTS_PEER_H

#include "fixture.h"

/** Start it on a database with the table `foreign_counter`. */
void peer_start(const char *path);

/** One command; its answer, or the answer to one that was sent before. Borrowed until the next. */
void peer_send(const char *command);
const char *peer_answer(void);
/** The last answer again. */
const char *peer_said(void);
const char *peer_ask(const char *command);
int64_t peer_value(const char *command);

/** End it; its exit status. */
int peer_stop(void);
bool peer_runs(void);

#endif
