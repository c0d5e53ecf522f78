/*
 * Measuring the wanted cases one after the other; see session.h. What was begun is
 * cleaned up whatever happens: databases are removed after an error, a signal and
 * a closed pipe too.
 */
#define _POSIX_C_SOURCE 200809L /* sigaction() */

#include "session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "cases.h"
#include "counts.h"
#include "machine.h"
#include "place.h"
#include "report.h"

typedef struct session {
    const bench_options *options;
    bench_choice choice;
    bool judge; /* print goals, not a table */
    bench_place place;
    FILE *json; /* owned; NULL: none */
    bench_counts counts;
    bench_tally tally;
    unsigned failed;
    bool interrupted;
} session;

static const bench_effort *effort_of(const bench_options *o)
{
    return o->effort ? o->effort : &bench_effort_full;
}

static bool measure_case(const bench_case *c, void *ctx)
{
    session *s = ctx;
    bench_outcome o;
    bench_end end = bench_measure(c, &s->place, effort_of(s->options), &o);

    if (end == BENCH_FAILED)
        s->failed++;
    if (end == BENCH_MEASURED && s->json)
        bench_report_json(&o, s->json);
    if (end != BENCH_INTERRUPTED && s->judge)
        bench_report_goals(c, end == BENCH_MEASURED ? &o : NULL, s->options->area, &s->counts, &s->tally,
                           stdout);
    else if (end == BENCH_MEASURED)
        bench_report_table(&o, stdout);
    s->interrupted = end == BENCH_INTERRUPTED;
    bench_outcome_fini(&o);
    /* Nobody reads on: a pipe was closed, or the disk is full. */
    return !s->interrupted && !ferror(stdout);
}

static void on_signal(int number)
{
    (void)number;
    bench_interrupt();
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    /* A closed pipe shall end the run like any failed write, with the databases removed. */
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
}

static int session_status(const session *s, size_t measured)
{
    if (s->interrupted)
        return BENCH_EXIT_INTERRUPTED;
    if (measured == 0)
        return bench_usage_error("no case matches", s->options->filter ? s->options->filter
                                                    : s->options->area ? s->options->area
                                                                       : "nothing");
    if (s->judge)
        printf("\n%u met, %u missed\n", s->tally.met, s->tally.missed);
    return s->failed > 0 || s->tally.missed > 0 ? BENCH_EXIT_MISSED : BENCH_EXIT_OK;
}

static bool output_failed(const char *name)
{
    fprintf(stderr, "rsq-bench: %s: %s\n", name, errno ? strerror(errno) : "write error");
    return false;
}

/* Write errors show when a file is flushed for the last time, so that decides. */
static bool close_outputs(const session *s)
{
    bool ok = true;

    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        ok = output_failed("standard output");
    errno = 0;
    if (s->json && (ferror(s->json) | fclose(s->json)) != 0)
        ok = output_failed(s->options->json_path);
    return ok;
}

static int measure_wanted(session *s)
{
    bench_machine machine;
    size_t measured;

    bench_machine_look(&machine, s->place.dir);
    bench_machine_print(&machine, stdout);
    if (s->json)
        bench_machine_json(&machine, s->json);
    if (s->judge)
        bench_report_goals_head(stdout);
    else
        bench_report_table_head(stdout);
    fflush(stdout);
    measured = bench_cases_each(&s->choice, measure_case, s);
    return session_status(s, measured);
}

static int session_run(session *s)
{
    const bench_options *o = s->options;
    int status;

    if (o->counts && !bench_counts_read(&s->counts, o->counts))
        return BENCH_EXIT_USAGE;
    if (o->json_path) {
        s->json = fopen(o->json_path, "we");
        if (!s->json) {
            fprintf(stderr, "rsq-bench: %s: %s\n", o->json_path, strerror(errno));
            return BENCH_EXIT_USAGE;
        }
    }
    catch_signals();
    if (!bench_place_open(&s->place, o->dir)) {
        close_outputs(s);
        return BENCH_EXIT_USAGE;
    }
    status = measure_wanted(s);
    if (!bench_place_close(&s->place) && status == BENCH_EXIT_OK)
        status = BENCH_EXIT_MISSED;
    if (!close_outputs(s) && status == BENCH_EXIT_OK)
        status = BENCH_EXIT_MISSED;
    return status;
}

int bench_run(const bench_options *o)
{
    session s = {.options = o, .choice = {.filter = o->filter, .area = o->area}};

    return session_run(&s);
}

int bench_goals(const bench_options *o)
{
    session s = {
        .options = o, .choice = {.filter = o->filter, .area = o->area, .with_goals = true}, .judge = true};

    return session_run(&s);
}

int bench_open(const bench_options *o)
{
    session s = {
        .options = o,
        .choice = {.filter = o->filter, .area = o->area, .workload = "open", .with_goals = true},
        .judge = true,
    };

    return session_run(&s);
}

typedef struct one_run {
    const char *peer;
    bench_place place;
    unsigned long ops;
    bool ok;
} one_run;

static bool run_case_once(const bench_case *c, void *ctx)
{
    one_run *r = ctx;
    size_t peer = bench_peer_index(c, r->peer);

    r->ok = peer < BENCH_PEERS_MAX && c->peers[peer].name;
    if (!r->ok)
        fprintf(stderr, "rsq-bench: %s/%s has no peer %s\n", c->workload, c->name, r->peer);
    r->ok = r->ok && bench_run_once(c, peer, &r->place, r->ops);
    return r->ok;
}

int bench_once(const bench_options *o)
{
    const bench_choice choice = {.filter = o->filter, .area = o->area};
    one_run r = {.peer = o->peer, .ops = 1};
    size_t cases;

    if (!o->peer)
        return bench_usage_error("needs --peer", "once");
    if (o->ops && !bench_options_number(o->ops, "not a number of operations", UINT32_MAX, &r.ops))
        return BENCH_EXIT_USAGE;
    if (!bench_place_open(&r.place, o->dir))
        return BENCH_EXIT_USAGE;
    cases = bench_cases_each(&choice, run_case_once, &r);
    if (!bench_place_close(&r.place))
        r.ok = false;
    if (cases == 0)
        return bench_usage_error("no case matches", o->filter ? o->filter : "once");
    return r.ok ? BENCH_EXIT_OK : BENCH_EXIT_MISSED;
}
