/*
 * Column names in the order of their first appearance. As in SQL, names that
 * differ only in the case of ASCII letters are the same name.
 */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct column_list {
    char **names; /* owned, each NUL-terminated */
    size_t count;
    size_t capacity;
} column_list;

/** In columns_find(): there is no such column. */
#define COLUMNS_NONE ((size_t)-1)

/**
 * Index of a name, or COLUMNS_NONE.
 * @param guess  where to look first: rows mostly repeat the same order.
 */
size_t columns_find(const column_list *c, const char *name, size_t len, size_t guess);

/** Are these the same name? `known` is NUL-terminated. */
bool columns_same(const char *known, const char *name, size_t len);

/** Add a name that holds no NUL byte; returns its index. */
size_t columns_add(column_list *c, const char *name, size_t len);

void columns_fini(column_list *c);

#endif
