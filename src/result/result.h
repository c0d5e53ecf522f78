/*
 * The inside of an rsq_result.
 *
 * A small result is one allocation: this struct, then its cells or JSON, then
 * its bytes. A large one is this struct and the blocks its rows were written
 * into. Immutable once the builder hands it over; any thread.
 */
#ifndef RSQ_RESULT_RESULT_H
#define RSQ_RESULT_RESULT_H

#include <stdatomic.h>

#include "base/block.h"
#include "resqlite.h"
#include "result/columns.h"

struct rsq_result {
    rsq_result_head head;  /* first: part of the ABI */
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    rsq_columns *columns;  /* shared; NULL without rows */
    rsq_block *blocks;     /* owned; NULL when the bytes follow the struct */
    const char *json;      /* borrowed from the block or the bytes behind; NULL: not JSON */
    size_t json_len;
    uint64_t commit_seq;
    int64_t changes;
    int64_t last_insert_rowid;
    bool wrote; /* a write's rows were told of, if not all tables could be named */
    size_t nchanged;
    const char **changed_tables; /* behind the struct, or in the block */
    void *changed_block;         /* owned; NULL: it took none */
};

/* Behind the result of a write: room for the names of a few tables. */
#define RSQ_RESULT_NAMES_ROOM ((size_t)96)

/* An empty result with `extra` bytes behind it; NULL: no memory. */
rsq_result *rsq_result_new(size_t extra);

static inline char *rsq_result_extra(rsq_result *r)
{
    return (char *)(r + 1);
}

/* Drop `count` references, each of which may be NULL, and set them to NULL. */
void rsq_results_drop(rsq_result **results, size_t count);

/* Same columns (names too), rows, types and bytes? Or the same JSON bytes. */
bool rsq_result_equal(const rsq_result *a, const rsq_result *b);

#endif
