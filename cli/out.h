/*
 * Standard output, buffered, with its errors remembered.
 *
 * Written over the descriptor and not over stdio, because stdio loses the
 * reason of a failed write that happened inside an earlier call. After a
 * failure nothing more is written, and out_finish() reports it once.
 *
 * A reader that closes the pipe early (`resqlite query … | head`) is no
 * failure: SIGPIPE is ignored, the command stops writing and ends quietly.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "strbuf.h"

/** Ignore SIGPIPE; once, at the start. */
void out_init(void);

void out_write(const void *bytes, size_t n);
void out_puts(const char *s);

/** Write what `b` holds, and empty it. */
void out_take(strbuf *b);

/** Hand everything to the system now. False once writing has failed. */
bool out_flush(void);

/** It is a terminal, which data must not control. */
bool out_is_terminal(void);

/** Writing failed, or the reader is gone: there is no use in going on. */
bool out_failed(void);

/** Flush, report a failed write, and return the exit status: `status`, or STATUS_SYSTEM if that was OK. */
int out_finish(int status);

#endif
