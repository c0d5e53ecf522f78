/*
 * Fixture of the integration tests.
 *
 * Every test gets a directory of its own, and is checked when it ends: each live query it opened must have
 * got exactly one end event, and no file descriptor and no thread may be left over. A wait always waits for
 * an event and has a deadline, so that a lost wake-up is a failure with a message and not a hang; no test
 * sleeps.
 *
 * cmocka reports a failure by jumping out of the test. Three rules follow: only the test's main thread
 * asserts (other threads blame() and the main thread looks at it), callbacks of the library never assert (a
 * jump would leave the library in the middle of a dispatch), and what a callback writes to lives in the
 * fixture and not on the stack of the test.
 */
#ifndef RSQ_TESTS_FIXTURE_H
#define RSQ_TESTS_FIXTURE_H

#if !defined(_XOPEN_SOURCE) && !defined(_GNU_SOURCE)
#define _XOPEN_SOURCE 700 /* barriers, mkdtemp(), nftw(); so this header comes before all others */
#endif

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include <resqlite.h>

/** Longest time anything awaited may take; generous, since sanitizers slow everything down, and other
 * programs. */
#define FIXTURE_DEADLINE_MS 60000u

/** Number of elements of an array. */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__SANITIZE_THREAD__)
#define FIXTURE_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIXTURE_UNDER_TSAN 1
#endif
#endif
#ifndef FIXTURE_UNDER_TSAN
#define FIXTURE_UNDER_TSAN 0
#endif

typedef struct probe probe;
typedef struct parked parked;

/** One test's surroundings; the `state` of each test function. */
typedef struct fixture {
    char dir[256];
    char path[320];   /**< a database file inside `dir`, not made yet */
    rsq_db *db;       /**< of fixture_open(); closed when the test ends; NULL before */
    rsq_queue *queue; /**< of fixture_queue(); NULL before */
    rsq_error err;    /**< for WANT() */
    probe *probes;    /**< every probe of the test */
    probe *canary;    /**< of EXPECT_QUIET() */
    parked *parked;   /**< of fixture_park(); NULL before */
    size_t fds;       /**< open descriptors and threads when the test began */
    size_t threads;
} fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/** A test that gets a fixture; the table of a program's tests is made of these. */
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/** Descriptors that the process has open. */
size_t fixture_descriptors(void);

/** `dir`/`name`; freed by the caller. */
char *fixture_file(const fixture *f, const char *name);

/** Open `path` of the fixture as `db`; NULL for the default options. */
rsq_db *fixture_open(fixture *f, const rsq_open_options *opts);

/** Open a further database; closed by the test. */
rsq_db *fixture_open_path(fixture *f, const char *path, const rsq_open_options *opts);

/** Close `db` of the fixture, so that it can be opened again or its file looked at. */
void fixture_close(fixture *f);

/** The fixture's queue, made when first asked for. */
rsq_queue *fixture_queue(fixture *f);

/* ------------------------------------------------------------- expectations -- */

/** The call must return `expected`. Its detail goes to `f->err`, which must agree with the code and have a
 * message. */
#define WANT(f, expected, call) fixture_want((expected), (call), &(f)->err, #call, __FILE__, __LINE__)

/** The same for a call that takes no rsq_error. */
#define WANT_CODE(expected, call) fixture_want((expected), (call), NULL, #call, __FILE__, __LINE__)

/** Run one writing statement without parameters; it must succeed. */
#define EXEC(f, sql) fixture_exec((f), (f)->db, (sql), __FILE__, __LINE__)

/** The whole answer of a query must be these rows; see fixture_dump() for the form. */
#define EXPECT_ROWS(f, sql, rows) fixture_expect_rows((f), (f)->db, (sql), (rows), __FILE__, __LINE__)
#define EXPECT_ROWS_IN(f, db, sql, rows) fixture_expect_rows((f), (db), (sql), (rows), __FILE__, __LINE__)

/** A result that is at hand must be these rows. */
#define EXPECT_RESULT(result, rows) fixture_expect_result((result), (rows), __FILE__, __LINE__)

/** A chunk must be the rows of the whole answer from this one on. */
#define EXPECT_PART(chunk, whole, from) fixture_expect_part((chunk), (whole), (from), __FILE__, __LINE__)

/** The one integer that a query answers. */
#define INTEGER(f, sql) fixture_integer((f), (f)->db, (sql), __FILE__, __LINE__)

void fixture_want(rsq_code expected, rsq_code got, rsq_error *err, const char *call, const char *file,
                  int line);
void fixture_exec(fixture *f, rsq_db *db, const char *sql, const char *file, int line);
void fixture_expect_rows(fixture *f, rsq_db *db, const char *sql, const char *rows, const char *file,
                         int line);
void fixture_expect_result(const rsq_result *r, const char *rows, const char *file, int line);
void fixture_expect_part(const rsq_result *chunk, const rsq_result *whole, size_t from, const char *file,
                         int line);
int64_t fixture_integer(fixture *f, rsq_db *db, const char *sql, const char *file, int line);

/** The rows as text: cells as SQL literals joined by '|', rows by a line feed. Freed by the caller. */
char *fixture_dump(const rsq_result *r);

/** A name must be among the changed tables of a write's result, or must not be. */
bool fixture_changed(const rsq_result *r, const char *table);

/* ------------------------------------------------------------ live queries -- */

/** One event as it came; the result is kept by a reference. */
typedef struct probe_event {
    rsq_event_kind kind;
    bool ended;
    uint64_t commit_seq;
    rsq_result *result;
    rsq_error error;
    rsq_result *before;
    rsq_change *changes; /**< a copy; owned by the probe */
    size_t nchanges;
    uint32_t why;
    char tables[256]; /**< with a blank between them; cut */
} probe_event;

/** Collects the events of one live query. Owned by the fixture. */
struct probe {
    fixture *f;
    rsq_queue *queue;   /**< borrowed */
    rsq_stream *stream; /**< NULL after the end event */
    probe_event *events;
    size_t count;    /**< events that came */
    size_t taken;    /**< of those, looked at by the test */
    size_t results;  /**< of those that came, answers: results, differences and signals */
    size_t ends;     /**< RSQ_EVENT_END; may become 1 */
    uint64_t newest; /**< commit number of the newest result */
    bool may_repeat; /**< commit numbers need not rise: its parameters change, or it is volatile */
    bool abandoned;  /**< its queue is freed first, so no end event will come */
    char blame[160]; /**< a promise that an event broke; empty if none */
    void (*then)(probe *p, const probe_event *ev, void *ctx); /**< called in the callback, NULL for nothing */
    void *then_ctx;
    probe *next;
};

/** Open a live query on `f->db` that delivers to the fixture's queue. */
#define WATCH(f, sql) probe_open((f), (f)->db, fixture_queue(f), (sql), NULL, 0, __FILE__, __LINE__)
#define WATCH_WITH(f, sql, params, nparams) \
    probe_open((f), (f)->db, fixture_queue(f), (sql), (params), (nparams), __FILE__, __LINE__)

/** The next event must be a result with these rows. */
#define EXPECT_EVENT(p, rows) probe_expect_rows((p), (rows), __FILE__, __LINE__)

/** The next event must be an error; it is returned, borrowed from the probe. */
#define EXPECT_ERROR(p) probe_expect_error((p), __FILE__, __LINE__)

/** Events may come, results only, and the last one must be these rows. */
#define EXPECT_REACHES(p, rows) probe_expect_reaches((p), (rows), __FILE__, __LINE__)

/** The next event must be the end. */
#define EXPECT_END(p) probe_expect_end((p), __FILE__, __LINE__)

/**
 * No event may be on its way to this probe. Proven by a barrier: a row is written to the table `canary` and
 * the event that it causes on the fixture's own stream, on the same queue, is awaited; by then every earlier
 * commit has been matched. The counters must say that all results handed over were seen.
 * A test that wants to be exact makes a change that does matter afterwards and looks at the next event.
 */
#define EXPECT_QUIET(p) probe_expect_quiet((p), __FILE__, __LINE__)

probe *probe_open(fixture *f, rsq_db *db, rsq_queue *q, const char *sql, const rsq_value *params,
                  size_t nparams, const char *file, int line);
/** The same options for a stream that is opened by hand: events go to `p`. */
probe *probe_new(fixture *f, rsq_queue *q, rsq_stream_options *opts);
/** A stream of group 1 on the fixture's database and queue. */
probe *probe_in_group(fixture *f, const char *sql);
/** Open it on the fixture's database and queue with the options of probe_new(), changed by the test. */
#define WATCH_SET(f, p, sql, opts) \
    WANT((f), RSQ_OK, rsq_stream_open((f)->db, (sql), NULL, 0, (opts), &(p)->stream, &(f)->err))
/** The next event must be of that kind; borrowed from the probe. */
#define EXPECT_KIND(p, kind) probe_expect_kind((p), (kind), __FILE__, __LINE__)
const probe_event *probe_expect_kind(probe *p, rsq_event_kind kind, const char *file, int line);
const probe_event *probe_await(probe *p, const char *file, int line);
void probe_expect_rows(probe *p, const char *rows, const char *file, int line);
void probe_expect_reaches(probe *p, const char *rows, const char *file, int line);
const rsq_error *probe_expect_error(probe *p, const char *file, int line);
void probe_expect_end(probe *p, const char *file, int line);
void probe_expect_quiet(probe *p, const char *file, int line);
rsq_stream_counters probe_stats(probe *p);

/** Close the stream and await its end event. */
void probe_close(probe *p);

/** Make the table that EXPECT_QUIET() writes to, and watch it. Call it before the streams of the test are
 * opened. */
void fixture_canary(fixture *f);

/* ----------------------------------------------------------------- threads -- */

/** Opens once; whoever waits goes on. */
typedef struct gate {
    pthread_mutex_t mu;
    pthread_cond_t opened;
    bool is_open;
} gate;

void gate_init(gate *g);
void gate_fini(gate *g);
void gate_open(gate *g);
/** Whether the gate opened before the deadline. */
bool gate_wait(gate *g);
bool gate_is_open(gate *g);

/** What threads found wrong; the first finding counts. */
typedef struct verdict {
    pthread_mutex_t mu;
    char text[512];
} verdict;

void verdict_init(verdict *v);
/** Fail the test if somebody blamed; the test's main thread only. */
void verdict_fini(verdict *v, const char *file, int line);
void verdict_blame(verdict *v, const char *what, const rsq_error *err, const char *file, int line);

#define VERDICT(v) verdict_fini((v), __FILE__, __LINE__)

/** In a thread of the test: note it if the condition does not hold. `err`: NULL, or detail to print. */
#define BLAME(v, condition, err)                                       \
    do {                                                               \
        if (!(condition))                                              \
            verdict_blame((v), #condition, (err), __FILE__, __LINE__); \
    } while (0)

/** A thread of the test with a deadline for its end. */
typedef struct thread {
    pthread_t id;
    gate done;
    void (*fn)(void *ctx);
    void *ctx;
} thread;

void thread_start(thread *t, void (*fn)(void *ctx), void *ctx);
/** Join the thread; fails the test if it does not end before the deadline. */
#define THREAD_JOIN(t) thread_join((t), __FILE__, __LINE__)
void thread_join(thread *t, const char *file, int line);

/** Run `fn(0)` … `fn(n-1)` in a thread each, all let go at once, and join them. */
void crew_run(size_t n, void (*fn)(size_t index, void *ctx), void *ctx);

/**
 * A transaction in a thread of its own that holds the writer for as long as the test wants: its function
 * inserts 'first' into items(name), waits for parked_go(), and inserts 'second'. Owned by the fixture, which
 * lets it go when the test ends, so that a test that fails does not hang.
 */
struct parked {
    rsq_db *db;
    gate inside, go;
    thread thread;
    rsq_code first, second, code;
    rsq_error err;
    bool joined;
};

/** Start it; returns when it is between its two inserts. One in each test. */
parked *fixture_park(fixture *f, rsq_db *db);
void parked_go(parked *p);
/** Wait for its end; it must have committed. */
void parked_join(parked *p);

/** Join it, if one is parked, so that another may be. */
void fixture_unpark(fixture *f);

/* -------------------------------------------- files, and other processes -- */

/** A number made of names, sizes and bytes of all files below a directory. Only while no database in it is
 * open: closing a descriptor of a database file would drop the locks this process has on it. */
uint64_t fixture_digest(const char *dir);
/** The same for the bytes of one file. */
uint64_t fixture_file_digest(const char *path);
bool fixture_exists(const char *path);
void fixture_write_file(const char *path, const void *bytes, size_t len);
/** Bytes of a file; freed by the caller. */
char *fixture_read_file(const char *path, size_t *len);

/** Another process with a plain SQLite. */
typedef struct foreign {
    pid_t pid;
    int to;   /**< its standard input */
    int from; /**< its standard output */
} foreign;

/** Start a program: `argv[0]`. */
void foreign_spawn(foreign *x, char *const argv[]);
/** Start it on `path` with the statements; "-" stops it until foreign_go(). */
void foreign_start(fixture *f, foreign *x, const char *path, const char *const *sql, size_t n);
/** Wait until it stopped at a "-". */
void foreign_await(foreign *x);
void foreign_go(foreign *x);
/** Wait for its end; returns what it printed after the last stop, freed by the caller. It must have
 * succeeded. */
char *foreign_finish(foreign *x);
/** All of it for one statement. */
char *foreign_sql(fixture *f, const char *path, const char *sql);

/* ------------------------------------------------------------------ numbers -- */

/** A pseudo-random sequence (splitmix64); the same seed gives the same numbers everywhere. */
uint64_t fixture_random(uint64_t *state);

/** The seed of this run: RSQ_TEST_SEED of the environment, or a new one; printed, so that a failure can be
 * repeated. */
uint64_t fixture_seed(const char *what);

#endif
