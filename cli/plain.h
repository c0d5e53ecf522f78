/*
 * Values as plain text, for the table and for CSV.
 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H

#include <resqlite.h>

#include "strbuf.h"

/** An INTEGER or a REAL; a whole REAL keeps a point (`3.0`), infinities are `Inf` and `-Inf`. */
void plain_add_number(strbuf *b, const rsq_value *v);

/** Bytes as lower-case hex digits. */
void plain_add_hex(strbuf *b, const void *bytes, size_t n);

/** A count for people: 171,075. */
void plain_add_count(strbuf *b, uint64_t n);

#endif
