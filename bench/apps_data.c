/* Tables, rows and mixes; see apps.h. Everything that is drawn by lot follows from the operation's number. */
#include "apps.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

/* Any number from any number. */
static uint64_t mix(uint64_t n)
{
    n = (n + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

/* --------------------------------------------------------------------- chat -- */

#define USERS 500
#define CONVERSATIONS 100
#define MESSAGES 10000

enum { CHAT_INSERT, CHAT_UPDATE, CHAT_LAST, CHAT_USER };

static double zipf_sums[CONVERSATIONS];
static pthread_once_t zipf_made = PTHREAD_ONCE_INIT;

static void make_zipf(void)
{
    double sum = 0;

    for (int i = 0; i < CONVERSATIONS; i++) {
        sum += 1.0 / (i + 1);
        zipf_sums[i] = sum;
    }
}

/* The k-th conversation is k times as rare as the first. */
static int64_t conversation(uint64_t n)
{
    double at = (double)(mix(n) >> 11) / 9007199254740992.0;
    int i = 0;

    pthread_once(&zipf_made, make_zipf);
    while (i + 1 < CONVERSATIONS && zipf_sums[i] < at * zipf_sums[CONVERSATIONS - 1])
        i++;
    return i + 1;
}

static bool chat_messages(raw_db *db)
{
    raw_stmt *insert =
        raw_prepare(db, "INSERT INTO messages(conv_id, sender_id, body, sent_at) VALUES(?, ?, ?, ?)");
    bool ok = insert && raw_exec(db, "BEGIN");

    for (uint64_t i = 0; i < MESSAGES && ok; i++) {
        char body[32];
        rsq_value v[4] = {rsq_integer(conversation(2 * i)),
                          rsq_integer((int64_t)(mix(2 * i + 1) % USERS) + 1), rsq_null(),
                          rsq_integer((int64_t)i)};

        snprintf(body, sizeof body, "seed_message_%llu", (unsigned long long)i);
        v[2] = rsq_text(body);
        ok = raw_run_with(insert, v, 4);
    }
    ok = ok && raw_exec(db, "COMMIT");
    raw_finalize(insert);
    return ok;
}

static bool chat_fill(const bench_ctx *at, raw_db *db)
{
    (void)at;
    return raw_exec(db, "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 499) "
                        "INSERT INTO users(name, avatar_url) SELECT 'user_' || i, "
                        "'https://example.com/avatars/' || i || '.png' FROM c;"
                        "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 99) "
                        "INSERT INTO conversations(last_msg_at) SELECT 0 FROM c") &&
           chat_messages(db);
}

/* Of a hundred operations five insert, five update, 45 read a conversation and 45 a user. */
static size_t chat_step(const bench_ctx *at, uint64_t op, unsigned step, unsigned *statement, rsq_value *v)
{
    unsigned lot = (unsigned)(mix(3 * op) % 100);

    (void)at;
    (void)step;
    if (lot < 5) {
        *statement = CHAT_INSERT;
        v[0] = rsq_integer(conversation(3 * op + 1));
        v[1] = rsq_integer((int64_t)(mix(3 * op + 2) % USERS) + 1);
        v[2] = rsq_text("a message of a chat");
        v[3] = rsq_integer((int64_t)(MESSAGES + op));
        return 4;
    }
    if (lot < 10) {
        *statement = CHAT_UPDATE;
        v[0] = rsq_integer((int64_t)(MESSAGES + op));
        v[1] = rsq_integer(conversation(3 * op + 1));
        return 2;
    }
    *statement = lot < 55 ? CHAT_LAST : CHAT_USER;
    v[0] = lot < 55 ? rsq_integer(conversation(3 * op + 1))
                    : rsq_integer((int64_t)(mix(3 * op + 2) % USERS) + 1);
    return 1;
}

/* --------------------------------------------------------------------- feed -- */

#define PAGE 50

enum { FEED_FIRST, FEED_NEXT };

static bool feed_fill(const bench_ctx *at, raw_db *db)
{
    rsq_value size = rsq_integer((int64_t)at->of->size);
    raw_stmt *rows =
        raw_prepare(db, "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?1) "
                        "INSERT INTO posts(author_id, created_at, body, like_count) "
                        "SELECT i * 7919 % 500 + 1, i, 'body_' || i, 0 FROM c");
    bool ok = rows && raw_run_with(rows, &size, 1);

    raw_finalize(rows);
    return ok;
}

/* Post i was made at time i and has the id i + 1, so where a page begins is known. */
static size_t feed_step(const bench_ctx *at, uint64_t op, unsigned step, unsigned *statement, rsq_value *v)
{
    int64_t last = (int64_t)at->of->size - (int64_t)step * PAGE;

    (void)op;
    *statement = step == 0 ? FEED_FIRST : FEED_NEXT;
    if (step == 0) {
        v[0] = rsq_integer(PAGE);
        return 1;
    }
    v[0] = rsq_integer(last);
    v[1] = rsq_integer(last + 1);
    v[2] = rsq_integer(PAGE);
    return 3;
}

/* -------------------------------------------------------------------- large -- */

#define POINTS 1000
#define RANGES 10

enum { LARGE_POINT, LARGE_RANGE };

/* A commit, so that the log stays small: it is checkpointed after each. */
#define LARGE_COMMIT 50000

/* A file that takes a while, and a share of the disk: say so. */
static void tell_size(const bench_ctx *at, int64_t started)
{
    struct stat s;

    if (stat(at->path, &s) == 0)
        fprintf(stderr, "%s/%s %s: %zu rows, %lld MiB on disk, made in %.1f s\n", at->of->workload,
                at->of->name, at->peer->name, at->of->size, (long long)s.st_size >> 20,
                (double)(bench_now_ns() - started) / 1e9);
}

static bool large_fill(const bench_ctx *at, raw_db *db)
{
    int64_t started = bench_now_ns();
    raw_stmt *rows =
        raw_prepare(db, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?1) "
                        "INSERT INTO items(payload) SELECT printf('%.200c', 'x') FROM c");
    bool ok = rows != NULL;

    for (size_t done = 0; done < at->of->size && ok; done += LARGE_COMMIT) {
        size_t left = at->of->size - done;
        rsq_value n = rsq_integer((int64_t)(left < LARGE_COMMIT ? left : LARGE_COMMIT));

        ok = raw_run_with(rows, &n, 1);
    }
    ok = ok && raw_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    raw_finalize(rows);
    if (ok)
        tell_size(at, started);
    return ok;
}

static size_t large_step(const bench_ctx *at, uint64_t op, unsigned step, unsigned *statement, rsq_value *v)
{
    int64_t key = (int64_t)(mix(op * (POINTS + RANGES) + step) % at->of->size) + 1;

    *statement = step < POINTS ? LARGE_POINT : LARGE_RANGE;
    v[0] = rsq_integer(key);
    v[1] = rsq_integer(key + 500);
    return step < POINTS ? 1 : 2;
}

/* --------------------------------------------------------------------- apps -- */

static const app apps[APPS] = {
    [APP_CHAT] =
        {.tables = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, avatar_url TEXT NOT NULL);"
                   "CREATE TABLE conversations(id INTEGER PRIMARY KEY, last_msg_at INTEGER NOT NULL);"
                   "CREATE TABLE messages(id INTEGER PRIMARY KEY, conv_id INTEGER NOT NULL, "
                   "sender_id INTEGER NOT NULL, body TEXT NOT NULL, sent_at INTEGER NOT NULL);"
                   "CREATE INDEX messages_conv_sent ON messages(conv_id, sent_at)",
         .fill = chat_fill,
         .statements = {[CHAT_INSERT] =
                            "INSERT INTO messages(conv_id, sender_id, body, sent_at) VALUES(?, ?, ?, ?)",
                        [CHAT_UPDATE] = "UPDATE conversations SET last_msg_at = ? WHERE id = ?",
                        [CHAT_LAST] = "SELECT m.id, m.body, m.sent_at, u.name, u.avatar_url FROM messages m "
                                      "JOIN users u ON u.id = m.sender_id WHERE m.conv_id = ? "
                                      "ORDER BY m.sent_at DESC LIMIT 20",
                        [CHAT_USER] = "SELECT id, name, avatar_url FROM users WHERE id = ?"},
         .writes = 1u << CHAT_INSERT | 1u << CHAT_UPDATE,
         .steps = 1,
         .content = "SELECT * FROM messages JOIN conversations c ON c.id = conv_id",
         .step = chat_step},
    [APP_FEED] = {.tables = "CREATE TABLE posts(id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, "
                            "created_at INTEGER NOT NULL, body TEXT NOT NULL, like_count INTEGER NOT NULL);"
                            "CREATE INDEX posts_created_at_id ON posts(created_at DESC, id)",
                  .fill = feed_fill,
                  .statements = {[FEED_FIRST] = "SELECT id, author_id, created_at, body, like_count "
                                                "FROM posts ORDER BY created_at DESC, id DESC LIMIT ?",
                                 [FEED_NEXT] = "SELECT id, author_id, created_at, body, like_count "
                                               "FROM posts WHERE (created_at, id) < (?, ?) "
                                               "ORDER BY created_at DESC, id DESC LIMIT ?"},
                  .steps = 20,
                  .content = "SELECT * FROM posts",
                  .step = feed_step},
    [APP_LARGE] = {.tables = "CREATE TABLE items(id INTEGER PRIMARY KEY, payload TEXT NOT NULL)",
                   .fill = large_fill,
                   .statements = {[LARGE_POINT] = "SELECT payload FROM items WHERE id = ?",
                                  [LARGE_RANGE] =
                                      "SELECT payload FROM items WHERE id >= ? AND id < ? LIMIT 500"},
                   .steps = POINTS + RANGES,
                   .content = "SELECT count(*), sum(length(payload)) FROM items",
                   .step = large_step},
};

const app *app_of(const bench_ctx *at)
{
    return &apps[at->peer->variant & APP_MASK];
}

bool app_make(const bench_ctx *at)
{
    const app *a = app_of(at);
    raw_db *db = raw_open(at->path, RAW_CREATE);
    bool ok = db && raw_ok(db) && raw_exec(db, a->tables) && a->fill(at, db);

    if (!ok)
        bench_fail(at, "make the tables: %s", raw_message(db));
    raw_close(db);
    return ok;
}
