/*
 * An asynchronous read in chunks: an op with a cursor.
 *
 *   job: lease, first chunk ──► chunk waits ──taken──► job: next chunk ──► … last chunk: DONE
 *                               (cursor RESTING)       (cursor BUSY)
 *
 * The next chunk is read when the one before is taken, while the consumer is
 * busy with that: two exist at most, and a consumer that stays away stops the
 * read, until it has been idle for too long. No worker waits for a consumer: it
 * leaves the half-read scan with the cursor, and the taking of a chunk submits
 * the op's job again.
 *
 * The cursor's state says who goes on. BUSY: a job that waits or runs; it ends
 * what it was told to end. RESTING: whoever takes the chunk, or whoever ends it:
 * the timer, who cancels, a database that closes.
 */
#ifndef RSQ_EXEC_CHUNKS_H
#define RSQ_EXEC_CHUNKS_H

#include "exec/cursor.h"
#include "exec/op.h"

typedef struct rsq_chunks {
    rsq_op *op; /* borrowed: it holds this */
    rsq_cursor cursor;
    bool begun; /* the job's: it has its reader */
} rsq_chunks;

/* Zeroed before; after the op's requests were copied. Takes a reference to the op, until the read is over. */
void rsq_chunks_init(rsq_chunks *ch, rsq_op *op, size_t chunk_rows, uint32_t idle_ms);
void rsq_chunks_fini(rsq_chunks *ch);

/* The op's job: the first chunk or the next one. */
void rsq_chunks_run(rsq_chunks *ch);

/* A chunk was taken that was not the last: read on. */
void rsq_chunks_go_on(rsq_chunks *ch);

/* It was asked to stop while it did not run, and has completed. */
void rsq_chunks_stopped(rsq_chunks *ch, const rsq_error *why);

#endif
