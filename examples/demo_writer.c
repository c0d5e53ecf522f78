/* The writing thread; see demo_writer.h. */
#include "demo_writer.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demo_random.h"

#define TURN_NS (NS_PER_SECOND / WRITER_PACE)

/* Behind by more than this, the writer gives up what it has missed. */
#define LAG_NS (NS_PER_SECOND / 4)

/* A write that changes the answer of one live query. */
static rsq_code write_shown(writer *w, size_t query, const char *sql, const rsq_value *params, size_t nparams)
{
    uint64_t started = now_ns();
    rsq_result *done;
    rsq_code code = rsq_execute(w->data->db, sql, params, nparams, NULL, &done, &w->error);

    if (code == RSQ_OK) {
        probe_written(&w->live->queries[query].probe, rsq_result_commit_seq(done), started);
        rsq_result_unref(done);
    }
    return code;
}

/* ------------------------------------------------- what the queries show -- */

/* The first row behind the imported ones: a camp on the ice, which drifts north and back south again, and
 * never leaves the ten northernmost. */
static rsq_code drift_camp(writer *w)
{
    enum { STEPS = 40 };
    uint64_t step = w->drifts++ % (2 * STEPS);
    double lat = 71.1 + 0.25 * (double)(step < STEPS ? step : 2 * STEPS - step);
    rsq_value camp[] = {rsq_integer(w->data->cities + 1), rsq_real(lat)};

    if (w->drifts == 1)
        return write_shown(w, LIVE_NORTHERNMOST,
                           "INSERT INTO cities(rowid, name, lat, lng, country)"
                           " VALUES (?, 'Drifting Camp', ?, 0, 'SJ')",
                           camp, 2);
    return write_shown(w, LIVE_NORTHERNMOST, "UPDATE cities SET lat = ?2 WHERE rowid = ?1", camp, 2);
}

/* The city by key: its plate moves west, and now and then it is written in another way. */
static rsq_code change_followed(writer *w)
{
    static const char *const names[] = {"Reykjavik", DATA_FOLLOWED};
    uint64_t n = w->changes++;
    rsq_value renamed[] = {rsq_integer(w->data->followed), rsq_text(names[n / 4 % 2])};

    if (n % 4 == 3)
        return write_shown(w, LIVE_CITY, "UPDATE cities SET name = ?2 WHERE rowid = ?1", renamed, 2);
    return write_shown(w, LIVE_CITY, "UPDATE cities SET lng = lng - 0.001 WHERE rowid = ?", renamed, 1);
}

/* Found a city, or give up the oldest of those. One is given up nine foundations later, so that no two
 * neighbours in time undo each other: a count that comes back to what it was is no event. */
static rsq_code found_or_give_up(writer *w)
{
    enum { KEPT = 9 };
    static const char *const countries[] = {"FR", "JP", "BR", "IN", "DE", "US",
                                            "IT", "MX", "ES", "CA", "PL", "TR"};
    size_t ncountries = sizeof countries / sizeof countries[0];
    rsq_value camp = rsq_integer(w->data->cities + 1);
    char name[40];
    rsq_value city[4];

    if (w->added - w->removed >= KEPT) {
        w->removed++;
        return write_shown(w, LIVE_COUNTRIES,
                           "DELETE FROM cities WHERE rowid = (SELECT min(rowid) FROM cities WHERE rowid > ?)",
                           &camp, 1);
    }
    snprintf(name, sizeof name, "Newtown %llu", (unsigned long long)w->added + 1);
    city[0] = rsq_text(name);
    city[1] = rsq_real(random_unit(&w->random) * 100 - 50);
    city[2] = rsq_real(random_unit(&w->random) * 360 - 180);
    city[3] = rsq_text(countries[w->added++ % ncountries]);
    return write_shown(w, LIVE_COUNTRIES, "INSERT INTO cities(name, lat, lng, country) VALUES (?, ?, ?, ?)",
                       city, 4);
}

/* ------------------------------------------------ what they do not show -- */

static rsq_value random_city(writer *w)
{
    return rsq_integer(1 + (int64_t)(random_next(&w->random) % (uint64_t)w->data->cities));
}

static rsq_code move_some_city(writer *w)
{
    rsq_value move[] = {random_city(w), rsq_real(random_unit(&w->random) * 0.02 - 0.01)};

    return rsq_execute(w->data->db, "UPDATE cities SET lng = lng + ?2 WHERE rowid = ?1", move, 2, NULL, NULL,
                       &w->error);
}

/* Two cities swap their names: more than one statement, so a transaction. */
static rsq_code swap_names(rsq_tx *tx, void *ctx)
{
    const rsq_value *cities = ctx;
    rsq_value renamed[2] = {cities[0], cities[1]};
    rsq_code code;
    rsq_result *names;

    code =
        rsq_tx_select(tx, "SELECT a.name, b.name FROM cities a, cities b WHERE a.rowid = ? AND b.rowid = ?",
                      cities, 2, NULL, &names, NULL);
    if (code != RSQ_OK)
        return code;
    for (size_t i = 0; i < 2 && code == RSQ_OK && rsq_result_rows(names); i++) {
        renamed[0] = cities[i];
        renamed[1] = *rsq_result_cell(names, 0, 1 - i); /* a cell is a value, so it can be a parameter */
        code =
            rsq_tx_execute(tx, "UPDATE cities SET name = ?2 WHERE rowid = ?1", renamed, 2, NULL, NULL, NULL);
    }
    rsq_result_unref(names);
    return code;
}

static rsq_code swap_some_names(writer *w)
{
    rsq_value cities[] = {random_city(w), random_city(w)};

    return rsq_transaction(w->data->db, swap_names, cities, NULL, &w->error);
}

/* -------------------------------------------------------------- the thread -- */

static rsq_code write_one(writer *w, uint64_t turn)
{
    switch (turn % 64) {
    case 0:
        return drift_camp(w);
    case 16:
    case 48:
        return found_or_give_up(w);
    case 32:
        return change_followed(w);
    default:
        return turn % 2 ? move_some_city(w) : swap_some_names(w);
    }
}

/* Wait for the time of the next turn. False: it is to stop. */
static bool wait_for_turn(const writer *w, uint64_t at_ns)
{
    struct pollfd fd = {.fd = w->stop_fd, .events = POLLIN};
    uint64_t now = now_ns();

    return poll(&fd, 1, now < at_ns ? (int)((at_ns - now + NS_PER_MS - 1) / NS_PER_MS) : 0) <= 0;
}

static void *run(void *ctx)
{
    writer *w = ctx;
    rsq_code code = RSQ_OK;
    uint64_t due = now_ns();

    for (uint64_t turn = 0; code == RSQ_OK && wait_for_turn(w, due); turn++) {
        uint64_t began = now_ns();

        code = write_one(w, turn);
        pthread_mutex_lock(&w->mu);
        histogram_add(&w->figures.latency, now_ns() - began);
        pthread_mutex_unlock(&w->mu);
        due = began > due + LAG_NS ? began : due + TURN_NS;
    }
    w->failed = code != RSQ_OK;
    if (w->failed && write(w->wake_fd, "f", 1) < 0)
        perror("demo: writer"); /* a pipe that nobody fills: cannot be */
    return NULL;
}

void writer_init(writer *w, const data *d, live *l, int stop_fd, int wake_fd)
{
    memset(w, 0, sizeof *w);
    w->data = d;
    w->live = l;
    w->stop_fd = stop_fd;
    w->wake_fd = wake_fd;
    w->random = 19700101;
    pthread_mutex_init(&w->mu, NULL);
}

bool writer_start(writer *w)
{
    return pthread_create(&w->thread, NULL, run, w) == 0;
}

void writer_join(writer *w)
{
    pthread_join(w->thread, NULL);
}

void writer_read(writer *w, writer_figures *f)
{
    pthread_mutex_lock(&w->mu);
    *f = w->figures;
    pthread_mutex_unlock(&w->mu);
}

void writer_fini(writer *w)
{
    pthread_mutex_destroy(&w->mu);
}
