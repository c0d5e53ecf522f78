/*
 * The file that is imported, read block by block.
 *
 * The bytes from a mark on stay in memory, so that a reader can look back to
 * the start of its row; the line number of the mark is known, so that an error
 * anywhere after it can be placed. Readers move the mark from row to row.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** A place as people count: from 1; the column in bytes, as `cut -b` counts. */
typedef struct input_place {
    uint64_t line, column;
} input_place;

typedef struct input {
    const char *name; /* borrowed; for messages */
    uint64_t size;    /* bytes of the file; 0 if unknown */
    int error;        /* errno of a failed read; the rest of the file is then missing */

    int fd;       /* owned, unless it is standard input */
    off_t origin; /* where in the file offset 0 is: standard input may come half read; -1: it cannot be
                     rewound */
    char *data;   /* owned; the window: bytes from offset `start` on */
    size_t len, capacity;
    uint64_t start;
    bool ended;
    struct {
        uint64_t offset, line, line_start;
    } mark;
} input;

/**
 * Open a file; "-" is standard input.
 * @param twice  it will be read twice: what cannot be rewound is copied into a
 *               temporary file (in $TMPDIR) first.
 * @return STATUS_OK, or, reported, STATUS_OPEN or STATUS_SYSTEM.
 */
int input_open(input *in, const char *path, bool twice);

/** Start again from the beginning. Only if opened for reading twice. False on failure: `error`. */
bool input_rewind(input *in);

/** Leave out a byte order mark. Before anything else is read. */
void input_skip_bom(input *in);

/** Read on. False at the end of the file, or on failure: `error`. Moves the window. */
bool input_more(input *in);

/** Offset after the last byte in memory. */
uint64_t input_end(const input *in);

/** The byte at an offset not before the mark; borrowed until input_more(). */
const char *input_at(const input *in, uint64_t offset);

/** Bytes before `offset`, which is not before the mark, are not needed any more. */
void input_set_mark(input *in, uint64_t offset);

/** The place of an offset between the mark and the end of the window. */
input_place input_locate(const input *in, uint64_t offset);

void input_close(input *in);

#endif
