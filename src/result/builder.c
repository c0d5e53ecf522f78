#include "result/builder.h"

#include <assert.h>

/* A result of at most this many bytes is copied into one allocation. */
#define SMALL_MAX ((size_t)2048)

/* So is one whose blocks, made for a larger one before it, are mostly empty. */
#define WASTE_MAX 4

/* The chain of text blocks grows by doubling, up to blocks of this size. */
#define TEXT_BLOCK_MAX ((size_t)1 << 20)

#define SMALL_BLOCK (RSQ_BLOCK_MIN - sizeof(rsq_block))

void rsq_builder_fini(rsq_builder *b)
{
    rsq_block_free_all(b->cells);
    rsq_block_free_all(b->bytes);
    *b = (rsq_builder){0};
}

/* Make `*slot` one empty block of at least `size` bytes, keeping the one that is there if it will do. */
static bool prepare_block(rsq_block **slot, size_t size)
{
    if (*slot && ((*slot)->next || (*slot)->capacity < size)) {
        rsq_block_free_all(*slot);
        *slot = NULL;
    }
    if (!*slot)
        *slot = rsq_block_new(size < SMALL_BLOCK ? SMALL_BLOCK : size);
    if (!*slot)
        return false;
    (*slot)->used = 0;
    return true;
}

static void reset(rsq_builder *b, size_t columns, size_t bytes_max)
{
    b->bytes_max = bytes_max ? bytes_max : SIZE_MAX;
    b->columns = columns;
    b->byte_total = 0;
    b->failed = RSQ_OK;
}

bool rsq_builder_begin(rsq_builder *b, size_t columns, size_t bytes_max, const rsq_builder_hint *hint)
{
    size_t bytes = hint->bytes < TEXT_BLOCK_MAX ? hint->bytes : TEXT_BLOCK_MAX;

    reset(b, columns, bytes_max);
    return prepare_block(&b->cells, hint->cells * sizeof(rsq_value)) && prepare_block(&b->bytes, bytes);
}

bool rsq_builder_begin_json(rsq_builder *b, size_t bytes_max, const rsq_builder_hint *hint)
{
    reset(b, 0, bytes_max);
    return prepare_block(&b->bytes, hint->bytes);
}

static void *fail(rsq_builder *b, rsq_code code)
{
    b->failed = code;
    return NULL;
}

/* Bytes of the result so far. */
static size_t total(const rsq_builder *b)
{
    size_t cells = b->columns ? b->cells->used : 0;

    return cells + b->byte_total + b->bytes->used;
}

static bool is_over(size_t have, size_t more, size_t max)
{
    return have > max || more > max - have;
}

/* Would `more` bytes be over the caller's limit? Asked when a block is full; the exact answer is given at the
 * end. */
static bool is_too_big(const rsq_builder *b, size_t more)
{
    return is_over(total(b), more, b->bytes_max);
}

/* Replace the only block in `*slot` by one at least twice as large. */
static bool double_block(rsq_block **slot, size_t more)
{
    rsq_block *old = *slot;
    size_t size = 2 * old->capacity > old->used + more ? 2 * old->capacity : old->used + more;
    rsq_block *grown = rsq_block_new(size);

    if (!grown)
        return false;
    memcpy(rsq_block_bytes(grown), rsq_block_bytes(old), old->used);
    grown->used = old->used;
    rsq_block_free_all(old);
    *slot = grown;
    return true;
}

rsq_value *rsq_builder_grow_cells(rsq_builder *b)
{
    size_t size = b->columns * sizeof(rsq_value);

    if (b->cells->used / sizeof(rsq_value) > RSQ_RESULT_CELLS_MAX - b->columns || is_too_big(b, size))
        return fail(b, RSQ_ETOOBIG);
    if (!double_block(&b->cells, size))
        return fail(b, RSQ_ENOMEM);
    return rsq_builder_row(b);
}

char *rsq_builder_grow_bytes(rsq_builder *b, size_t size)
{
    size_t next = 2 * b->bytes->capacity < TEXT_BLOCK_MAX ? 2 * b->bytes->capacity : TEXT_BLOCK_MAX;
    rsq_block *block;

    if (is_over(b->byte_total + b->bytes->used, size, RSQ_RESULT_BYTES_MAX) || is_too_big(b, size))
        return fail(b, RSQ_ETOOBIG);
    block = rsq_block_new(size > next ? size : next);
    if (!block)
        return fail(b, RSQ_ENOMEM);
    b->byte_total += b->bytes->used;
    block->next = b->bytes;
    b->bytes = block;
    return rsq_builder_bytes(b, size);
}

bool rsq_builder_grow_json(rsq_builder *b, size_t size)
{
    /* `size` is the most that may come, so it says nothing of the caller's limit. */
    if (is_over(b->bytes->used, size, RSQ_RESULT_BYTES_MAX) || is_too_big(b, 0)) {
        (void)fail(b, RSQ_ETOOBIG);
        return false;
    }
    if (!double_block(&b->bytes, size)) {
        (void)fail(b, RSQ_ENOMEM);
        return false;
    }
    return true;
}

/* Cells and bytes copied behind a new result, the pointers moved along. Only when `bytes` is one block. */
static rsq_result *finish_small(rsq_builder *b, size_t cells)
{
    const char *from = rsq_block_bytes(b->bytes);
    rsq_result *r = rsq_result_new(b->cells->used + b->bytes->used);
    rsq_value *copy;
    char *text;

    if (!r)
        return NULL;
    copy = (rsq_value *)(void *)rsq_result_extra(r);
    text = rsq_result_extra(r) + b->cells->used;
    memcpy(copy, rsq_block_bytes(b->cells), b->cells->used);
    memcpy(text, from, b->bytes->used);
    for (size_t i = 0; i < cells; i++) {
        if (copy[i].type >= RSQ_TEXT)
            copy[i].as.text = text + (copy[i].as.text - from);
    }
    r->head.cells = copy;
    return r;
}

static rsq_result *finish_large(rsq_builder *b)
{
    rsq_result *r = rsq_result_new(0);

    if (!r)
        return NULL;
    r->head.cells = (const rsq_value *)(void *)rsq_block_bytes(b->cells);
    assert(!b->cells->next);
    b->cells->next = b->bytes;
    r->blocks = b->cells;
    b->cells = NULL;
    b->bytes = NULL;
    return r;
}

rsq_result *rsq_builder_finish(rsq_builder *b, rsq_columns *columns, rsq_builder_hint *hint)
{
    size_t cells = b->cells->used / sizeof(rsq_value);
    size_t used = b->cells->used + b->bytes->used;
    bool wasteful = (b->cells->capacity + b->bytes->capacity) / WASTE_MAX > used;
    bool small = !b->bytes->next && (used <= SMALL_MAX || wasteful);
    rsq_result *r;

    if (is_too_big(b, 0) || is_over(b->byte_total + b->bytes->used, 0, RSQ_RESULT_BYTES_MAX))
        return fail(b, RSQ_ETOOBIG);
    hint->cells = cells;
    hint->bytes = b->byte_total + b->bytes->used;
    r = small ? finish_small(b, cells) : finish_large(b);
    if (!r)
        return fail(b, RSQ_ENOMEM);
    r->head.columns = b->columns;
    r->head.rows = b->columns ? cells / b->columns : 0;
    r->columns = columns ? rsq_columns_ref(columns) : NULL;
    rsq_builder_abandon(b);
    return r;
}

rsq_result *rsq_builder_finish_json(rsq_builder *b, rsq_builder_hint *hint)
{
    bool too_big = is_too_big(b, 0) || is_over(b->bytes->used, 0, RSQ_RESULT_BYTES_MAX);
    bool small = b->bytes->used < SMALL_MAX || b->bytes->capacity / WASTE_MAX > b->bytes->used;
    size_t len = b->bytes->used;
    rsq_result *r;
    char *end;

    if (too_big)
        return fail(b, RSQ_ETOOBIG);
    b->bytes_max = SIZE_MAX; /* the terminator is not part of the JSON */
    end = rsq_builder_json_room(b, 1);
    if (!end)
        return NULL;
    *end = '\0';
    hint->bytes = len + 1;
    r = rsq_result_new(small ? len + 1 : 0);
    if (!r)
        return fail(b, RSQ_ENOMEM);
    if (small) {
        memcpy(rsq_result_extra(r), rsq_block_bytes(b->bytes), len + 1);
        r->json = rsq_result_extra(r);
    } else {
        r->blocks = b->bytes;
        r->json = rsq_block_bytes(b->bytes);
        b->bytes = NULL;
    }
    r->json_len = len;
    rsq_builder_abandon(b);
    return r;
}

void rsq_builder_abandon(rsq_builder *b)
{
    /* Blocks of the usual size stay for the next result; larger ones are for whoever needs them. */
    if (b->cells && b->cells->capacity > SMALL_BLOCK) {
        rsq_block_free_all(b->cells);
        b->cells = NULL;
    }
    if (b->bytes && (b->bytes->next || b->bytes->capacity > SMALL_BLOCK)) {
        rsq_block_free_all(b->bytes);
        b->bytes = NULL;
    }
}
