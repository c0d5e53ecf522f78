/*
 * Keys: values compared exactly as SQLite compares them, and hashed so that what
 * it takes for equal has one hash. Integers and reals are compared as numbers,
 * text by one of SQLite's three collations, in UTF-8.
 *
 * Equal keys are recognised by their hash alone. Two different keys with one
 * hash wake a query for nothing, once in 2^64; a missed one there cannot be.
 */
#ifndef RSQ_SQL_KEY_H
#define RSQ_SQL_KEY_H

#include "resqlite.h"
#include "sql/depends.h"

/* Negative, zero, positive; NULL < numbers < text < blobs. Not RSQ_COLLATION_OTHER. */
int rsq_key_compare(const rsq_value *a, const rsq_value *b, rsq_collation collation);

/* `h` goes on through the columns of a key; RSQ_KEY_HASH_BEGIN for the first. */
#define RSQ_KEY_HASH_BEGIN UINT64_C(0x243f6a8885a308d3)
uint64_t rsq_key_hash(uint64_t h, const rsq_value *v, rsq_collation collation);

/* Room for a number as text. */
#define RSQ_OPERAND_ROOM 24

typedef enum rsq_operand_verdict {
    RSQ_OPERAND_VALUE,   /* it is `*out`, which may point into `room`, the parameters or the operand */
    RSQ_OPERAND_NONE,    /* it matches nothing: NULL */
    RSQ_OPERAND_DOUBTFUL /* what SQLite makes of it is not certain here */
} rsq_operand_verdict;

/* What an operand is with these parameters, after the affinities. */
rsq_operand_verdict rsq_operand_value(const rsq_operand *o, const rsq_value *params, size_t nparams,
                                      rsq_value *out, char room[RSQ_OPERAND_ROOM]);

#endif
