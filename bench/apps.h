/*
 * Whole programs as mixes of statements: a chat, a feed, a file larger than
 * caches. An operation is a row of statements, each by its number in the app.
 */
#ifndef BENCH_APPS_H
#define BENCH_APPS_H

#include "bench.h"
#include "raw/raw.h"

/* bench_peer.variant */
enum {
    APP_CHAT = 0,
    APP_FEED,
    APP_LARGE,
    APPS,
    APP_MASK = 0xf,
    APP_TIMED_SHIFT = 4 /* 1 + the statement whose time alone is the figure; 0: of the whole operation */
};
#define APP_TIMED(statement) ((uint32_t)((statement) + 1) << APP_TIMED_SHIFT)

#define APP_STATEMENTS_MAX 4
#define APP_PARAMS_MAX 4

typedef struct app {
    const char *tables;
    bool (*fill)(const bench_ctx *at, raw_db *db);
    const char *statements[APP_STATEMENTS_MAX];
    unsigned writes; /* a bit for each statement that writes */
    unsigned steps;  /* of an operation */
    const char *content;
    /* The statement of a step, and its parameters: how many. */
    size_t (*step)(const bench_ctx *at, uint64_t op, unsigned step, unsigned *statement, rsq_value *params);
} app;

const app *app_of(const bench_ctx *at);

/* The statement that is timed by itself; -1: none is. */
static inline int app_timed(const bench_ctx *at)
{
    return (int)(at->peer->variant >> APP_TIMED_SHIFT) - 1;
}

bool app_make(const bench_ctx *at);

/* An operation that no block has. */
#define APP_HASHED_OP ((uint64_t)1 << 34)

extern const bench_ops apps_raw;
extern const bench_ops apps_rsq;
extern const bench_ops apps_raw_timed;
extern const bench_ops apps_rsq_timed;

#endif
