/*
 * Rows as JSON.
 *
 * For a query the library has made the bytes already (rsq_select_json); this
 * writes the same form from the cells of a result, for rows of RETURNING and
 * of live queries, which the library hands out as cells.
 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <resqlite.h>

#include "strbuf.h"

/** One row: `{"column":value,…}`. */
void json_add_row(strbuf *b, const rsq_result *r, size_t row);

/** Some columns of a row, by number, as an object. */
void json_add_columns(strbuf *b, const rsq_result *r, size_t row, const uint32_t *columns, size_t n);

/** All rows: `[{…},{…}]`. */
void json_add_rows(strbuf *b, const rsq_result *r);

/** A JSON string; what is not UTF-8 becomes U+FFFD. */
void json_add_string(strbuf *b, const char *s, size_t n);

/**
 * Print JSON. On a terminal, characters that control it are written as escapes,
 * which stand for the same text; elsewhere it is the bytes as they are.
 */
void json_print(const char *json, size_t len);

/** Print the JSON array of rsq_select_json(), one element a line. */
void json_print_lines(const char *json, size_t len);

#endif
