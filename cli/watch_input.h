/*
 * Statements from standard input, one a line, without ever blocking.
 */
#ifndef CLI_WATCH_INPUT_H
#define CLI_WATCH_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "strbuf.h"

typedef struct watch_input {
    bool ended;      /* nothing more will come; lines may still wait */
    uint64_t number; /* of the line handed out last */
    strbuf buffer;   /* owned */
    size_t taken;    /* bytes of the buffer that were handed out */
} watch_input;

/** Read what is there. Call when the descriptor polls readable. */
void watch_input_read(watch_input *in);

/**
 * The next line that is complete, without its end; NUL-terminated, borrowed
 * until the next call. NULL: none yet. At the end of input the rest is a line.
 */
const char *watch_input_line(watch_input *in);

/** watch_input_line() would find one. */
bool watch_input_waits(const watch_input *in);

void watch_input_fini(watch_input *in);

#endif
