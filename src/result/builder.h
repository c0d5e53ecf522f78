/*
 * Builds a result from rows, in one pass and without a second copy.
 *
 * Cells go into one block (they must be contiguous), which doubles when it is
 * full. Text and blobs go into a chain of blocks that never move, so a cell's
 * pointer is final when it is written. At the end a small result is copied into
 * one allocation, since that is cheaper than its blocks; a large one takes the
 * blocks over.
 *
 * The builder of a connection keeps two small blocks from result to result, so
 * a point read allocates nothing but its result. Thread: the connection's.
 */
#ifndef RSQ_RESULT_BUILDER_H
#define RSQ_RESULT_BUILDER_H

#include "base/block.h"
#include "result/result.h"

/* More cells than this, or more bytes, are refused: RSQ_ETOOBIG. */
#define RSQ_RESULT_CELLS_MAX ((size_t)INT32_MAX)
#define RSQ_RESULT_BYTES_MAX ((size_t)INT32_MAX)

/* What the last result of the same statement took; the next one starts with that much room. */
typedef struct rsq_builder_hint {
    size_t cells;
    size_t bytes;
} rsq_builder_hint;

typedef struct rsq_builder {
    rsq_block *cells;  /* owned */
    rsq_block *bytes;  /* owned; newest first; the JSON buffer when building JSON */
    size_t byte_total; /* in all of `bytes` */
    size_t columns;
    size_t bytes_max; /* of cells and bytes together, or of JSON */
    rsq_code failed;  /* RSQ_OK, RSQ_ENOMEM or RSQ_ETOOBIG: why a call below returned NULL */
} rsq_builder;

void rsq_builder_fini(rsq_builder *b);

/* Begin a result of `columns` columns and at most `bytes_max` bytes (0: no limit but those above). False: no
 * memory. */
bool rsq_builder_begin(rsq_builder *b, size_t columns, size_t bytes_max, const rsq_builder_hint *hint);

/* Slow paths of the two inline functions below. */
rsq_value *rsq_builder_grow_cells(rsq_builder *b);
char *rsq_builder_grow_bytes(rsq_builder *b, size_t size);

/* Room for one more row of cells; NULL: see `failed`. */
static inline rsq_value *rsq_builder_row(rsq_builder *b)
{
    size_t size = b->columns * sizeof(rsq_value);

    if (b->cells->capacity - b->cells->used >= size) {
        rsq_value *row = (rsq_value *)(void *)(rsq_block_bytes(b->cells) + b->cells->used);

        b->cells->used += size;
        return row;
    }
    return rsq_builder_grow_cells(b);
}

/* Room for `size` bytes that stay where they are; NULL: see `failed`. */
static inline char *rsq_builder_bytes(rsq_builder *b, size_t size)
{
    if (b->bytes->capacity - b->bytes->used >= size) {
        char *p = rsq_block_bytes(b->bytes) + b->bytes->used;

        b->bytes->used += size;
        return p;
    }
    return rsq_builder_grow_bytes(b, size);
}

/* Begin JSON: one contiguous buffer. False: no memory. */
bool rsq_builder_begin_json(rsq_builder *b, size_t bytes_max, const rsq_builder_hint *hint);

/* Slow path: move the buffer to one with room for `size` more bytes. */
bool rsq_builder_grow_json(rsq_builder *b, size_t size);

/* Where to write at most `size` bytes of JSON; follow with rsq_builder_json_end(). NULL: see `failed`. */
static inline char *rsq_builder_json_room(rsq_builder *b, size_t size)
{
    if (b->bytes->capacity - b->bytes->used < size && !rsq_builder_grow_json(b, size))
        return NULL;
    return rsq_block_bytes(b->bytes) + b->bytes->used;
}

static inline void rsq_builder_json_end(rsq_builder *b, const char *end)
{
    b->bytes->used = (size_t)(end - rsq_block_bytes(b->bytes));
}

/*
 * Hand the result over and note its size in `hint`. `columns` may be NULL; a
 * reference to it is taken. NULL: see `failed`. The builder is ready for the next begin.
 */
rsq_result *rsq_builder_finish(rsq_builder *b, rsq_columns *columns, rsq_builder_hint *hint);
rsq_result *rsq_builder_finish_json(rsq_builder *b, rsq_builder_hint *hint);

/* Drop what was built, and all but two small blocks. */
void rsq_builder_abandon(rsq_builder *b);

#endif
