/*
 * Rows as CSV (RFC 4180): a header line, CR LF after each line.
 *
 * NULL is an empty field, an empty text is `""`. A BLOB is its bytes as hex
 * digits. A REAL keeps a point, so that it reads back as one.
 */
#ifndef CLI_CSV_OUT_H
#define CLI_CSV_OUT_H

#include <stdbool.h>

#include <resqlite.h>

void csv_print(const rsq_result *r, bool header);

#endif
