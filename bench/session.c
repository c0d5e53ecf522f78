/*
 * Measuring the wanted cases one after the other, in whole passes; see session.h.
 * What was begun is cleaned up whatever happens: databases are removed after an
 * error, a signal and a closed pipe too.
 */
#define _POSIX_C_SOURCE 200809L /* sigaction(), open_memstream() */

#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "compare.h"
#include "counts.h"
#include "machine.h"
#include "place.h"
#include "report.h"
#include "results.h"

#define PASSES_OF_LABEL 5

typedef struct session {
    const bench_options *options;
    bench_choice choice;
    bool judge;              /* print goals, not a table */
    const char *stored_path; /* goals: of the canonical results; NULL: there are none */
    const char *label;       /* NULL: none */
    unsigned long passes;

    bench_place place;
    bench_machine machine;
    FILE *json; /* owned; NULL: none */
    bench_counts counts;
    bench_set before; /* of --compare-to */
    bench_set stored; /* goals: the canonical results */
    bool has_stored;

    /* While it runs. */
    unsigned long pass; /* from 0 */
    size_t next;        /* case within the pass */
    size_t cases;
    bench_outcome *outcomes; /* owned; one for each wanted case; without samples if it failed */
    bool *failed;            /* owned; likewise */
    bench_tally tally;
    bool interrupted;
} session;

static const bench_effort *effort_of(const bench_options *o)
{
    return o->effort ? o->effort : &bench_effort_full;
}

static bool look_at_memory(session *s, const bench_case *c, bench_outcome *o)
{
    for (size_t i = 0; i < o->peers; i++) {
        bench_memory memory;

        if (!bench_memory_of(c, i, s->place.dir, &memory))
            return false;
        bench_outcome_add_memory(o, i, &memory);
    }
    return true;
}

static bench_end measure_pass(session *s, const bench_case *c, bench_outcome *all)
{
    bench_outcome pass;
    bench_end end = bench_measure(c, &s->place, effort_of(s->options), &pass);

    if (end == BENCH_MEASURED && !bench_outcome_add(all, &pass)) {
        fprintf(stderr, "rsq-bench: out of memory\n");
        end = BENCH_FAILED;
    }
    bench_outcome_fini(&pass);
    if (end == BENCH_MEASURED && s->label && !look_at_memory(s, c, all))
        end = BENCH_FAILED;
    return end;
}

/* In the last pass, when all samples of the case are there. */
static void report_case(session *s, const bench_case *c, const bench_outcome *o)
{
    const bench_judges by = {
        .area = s->options->area, .counts = &s->counts, .stored = s->has_stored ? &s->stored : NULL};

    for (size_t i = 0; s->json && i < o->peers; i++) {
        bench_report_json(o, i, s->json);
        fputc('\n', s->json);
    }
    if (s->json)
        fflush(s->json);
    if (s->judge)
        bench_report_goals(c, o->n > 0 ? o : NULL, &by, &s->tally, stdout);
    else if (o->n > 0)
        bench_report_table(o, stdout);
}

static bool measure_case(const bench_case *c, void *ctx)
{
    session *s = ctx;
    size_t i = s->next++;
    bench_end end = BENCH_FAILED;

    if (s->passes > 1)
        fprintf(stderr, "pass %lu of %lu: %s/%s\n", s->pass + 1, s->passes, c->workload, c->name);
    if (!s->failed[i])
        end = measure_pass(s, c, &s->outcomes[i]);
    if (end == BENCH_INTERRUPTED) {
        s->interrupted = true;
        return false;
    }
    /* A case that fails once has no figures: those of its other passes would look like all of them. */
    if (end == BENCH_FAILED) {
        s->failed[i] = true;
        bench_outcome_fini(&s->outcomes[i]);
    }
    if (s->pass + 1 == s->passes)
        report_case(s, c, &s->outcomes[i]);
    /* Nobody reads on: a pipe was closed, or the disk is full. */
    return !ferror(stdout);
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

static bool output_failed(const char *name)
{
    fprintf(stderr, "rsq-bench: %s: %s\n", name, errno ? strerror(errno) : "write error");
    return false;
}

/* Write errors show when a file is flushed for the last time, so that decides. */
static bool close_output(FILE *f, const char *name)
{
    bool ok = !ferror(f);

    errno = 0;
    if (fclose(f) != 0)
        ok = false;
    return ok || output_failed(name);
}

/* ------------------------------------------------------- results that stay -- */

static void results_path(const session *s, const char *suffix, char path[BENCH_PATH_MAX])
{
    snprintf(path, BENCH_PATH_MAX, "%s/%.10s-%s.%s", s->options->results, s->machine.date, s->label, suffix);
}

/* Before hours are spent: can they be written, and is nothing there that would be lost? */
static bool results_can_be_written(const session *s)
{
    char path[BENCH_PATH_MAX];

    if (access(s->options->results, W_OK) != 0)
        return output_failed(s->options->results);
    results_path(s, "json", path);
    if (access(path, F_OK) != 0)
        return true;
    bench_usage_error("is there already; take another label, or remove it", path);
    return false;
}

static bool store(const session *s, const bench_results *r, const char *document, size_t len,
                  const char *comparison)
{
    char path[BENCH_PATH_MAX];
    FILE *f;
    bool ok;

    errno = 0;
    results_path(s, "json", path);
    f = fopen(path, "we");
    if (!f)
        return output_failed(path);
    fwrite(document, 1, len, f);
    ok = close_output(f, path);
    if (ok)
        printf("\n%s\n", path);

    errno = 0;
    results_path(s, "md", path);
    f = fopen(path, "we");
    if (!f)
        return output_failed(path);
    bench_results_page(r, comparison, f);
    ok = close_output(f, path) && ok;
    if (ok)
        printf("%s\n", path);
    return ok;
}

static bool is_chosen(const bench_entry *e, const void *ctx)
{
    return bench_cases_named(ctx, e->workload, e->name);
}

/* What a comparison prints, from the heap; NULL: no memory, or this run's results are none. */
static char *compare_with(const session *s, const char *document, size_t len, bench_totals *totals)
{
    char *text = NULL;
    size_t size = 0;
    bench_set after;
    FILE *out = NULL;

    if (bench_set_parse(&after, "this run", document, len))
        out = open_memstream(&text, &size);
    if (out) {
        bench_compare(&s->before, &after, is_chosen, &s->choice, out, totals);
        fclose(out);
        printf("\nCompared with %s:\n\n%s", s->before.path, text ? text : "");
    }
    bench_set_free(&after);
    return text;
}

/* Keep the results and set them against earlier ones, as asked for. The exit status. */
static int conclude(session *s)
{
    const bench_results r = {.machine = &s->machine, .outcomes = s->outcomes, .n = s->cases};
    bench_totals totals = {.missing = 0};
    char *document = NULL;
    char *comparison = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&document, &len);
    bool ok = out != NULL;

    if (out) {
        bench_results_json(&r, out);
        ok = fclose(out) == 0;
    }
    if (ok && s->options->compare_to) {
        comparison = compare_with(s, document, len, &totals);
        ok = comparison != NULL;
    }
    if (ok && s->label)
        ok = store(s, &r, document, len, comparison);
    free(comparison);
    free(document);
    if (!ok || (s->options->gate && bench_totals_worse(&totals)))
        return BENCH_EXIT_MISSED;
    return BENCH_EXIT_OK;
}

/* ------------------------------------------------------------- the session -- */

static bool count_case(const bench_case *c, void *ctx)
{
    (void)c;
    (void)ctx;
    return true;
}

static int session_status(session *s)
{
    bool failed = false;

    if (s->interrupted)
        return BENCH_EXIT_INTERRUPTED;
    for (size_t i = 0; i < s->cases; i++)
        failed = failed || s->failed[i];
    if (s->judge) {
        printf("\n%u met, %u missed", s->tally.met, s->tally.missed);
        if (s->has_stored)
            printf(", %u worse than stored in %s", s->tally.worse, s->stored.path);
        printf("\n");
    } else if (conclude(s) != BENCH_EXIT_OK) {
        return BENCH_EXIT_MISSED;
    }
    return failed || s->tally.missed > 0 || s->tally.worse > 0 ? BENCH_EXIT_MISSED : BENCH_EXIT_OK;
}

static int measure_wanted(session *s)
{
    bench_machine_print(&s->machine, stdout);
    if (s->json) {
        fprintf(s->json, "{\"header\":");
        bench_machine_json(&s->machine, s->json);
        fprintf(s->json, "}\n");
    }
    if (s->judge)
        bench_report_goals_head(stdout);
    else
        bench_report_table_head(stdout);
    fflush(stdout);
    for (s->pass = 0; s->pass < s->passes && !s->interrupted && !ferror(stdout); s->pass++) {
        s->next = 0;
        bench_cases_each(&s->choice, measure_case, s);
    }
    return session_status(s);
}

/* Results of another machine say nothing about this one's goals. */
static bool take_stored(session *s)
{
    bench_machine here;

    if (!bench_set_read(&s->stored, s->stored_path))
        return false;
    bench_machine_look(&here, "/");
    s->has_stored =
        strcmp(s->stored.header.cpu, here.cpu) == 0 && strcmp(s->stored.header.sqlite, here.sqlite) == 0;
    if (!s->has_stored)
        fprintf(stderr, "rsq-bench: %s is of another machine or SQLite: goals are not set against it\n",
                s->stored_path);
    return true;
}

/* Everything that can be wrong is found before the first case is measured. */
static int session_open(session *s)
{
    const bench_options *o = s->options;

    s->cases = bench_cases_each(&s->choice, count_case, NULL);
    if (s->cases == 0)
        return bench_usage_error("no case matches", o->filter ? o->filter : o->area);
    s->outcomes = calloc(s->cases, sizeof *s->outcomes);
    s->failed = calloc(s->cases, sizeof *s->failed);
    if (!s->outcomes || !s->failed)
        return BENCH_EXIT_MISSED;
    if (o->gate && !o->compare_to)
        return bench_usage_error("needs --compare-to", "--gate");
    if (o->counts && !bench_counts_read(&s->counts, o->counts))
        return BENCH_EXIT_USAGE;
    if (o->compare_to && !bench_set_read(&s->before, o->compare_to))
        return BENCH_EXIT_USAGE;
    if (s->stored_path && !take_stored(s))
        return BENCH_EXIT_USAGE;
    s->machine.label = s->label ? s->label : "";
    s->machine.passes = s->passes;
    catch_signals();
    if (!bench_place_open(&s->place, o->dir))
        return BENCH_EXIT_USAGE;
    bench_machine_look(&s->machine, s->place.dir);
    if (s->label && !results_can_be_written(s))
        return BENCH_EXIT_USAGE;
    if (o->json_path) {
        s->json = fopen(o->json_path, "we");
        if (!s->json)
            return output_failed(o->json_path), BENCH_EXIT_USAGE;
    }
    return BENCH_EXIT_OK;
}

/* The exit status once what was opened is closed. */
static int session_close(session *s, int status)
{
    bool ok = s->place.dir[0] == '\0' || bench_place_close(&s->place);

    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        ok = output_failed("standard output");
    if (s->json && !close_output(s->json, s->options->json_path))
        ok = false;
    for (size_t i = 0; i < s->cases && s->outcomes; i++)
        bench_outcome_fini(&s->outcomes[i]);
    free(s->outcomes);
    free(s->failed);
    bench_set_free(&s->before);
    bench_set_free(&s->stored);
    return ok || status != BENCH_EXIT_OK ? status : BENCH_EXIT_MISSED;
}

static int session_run(session *s)
{
    const bench_options *o = s->options;
    int status = BENCH_EXIT_OK;

    s->passes = s->label ? PASSES_OF_LABEL : 1;
    if (o->repeat && !bench_options_number(o->repeat, "not a number of passes", BENCH_PASSES_MAX, &s->passes))
        return BENCH_EXIT_USAGE;
    status = session_open(s);
    if (status == BENCH_EXIT_OK)
        status = measure_wanted(s);
    return session_close(s, status);
}

int bench_run(const bench_options *o)
{
    session s = {.options = o,
                 .choice = {.filter = o->filter, .area = o->area, .all = o->all, .slow = o->slow}};

    if (o->nwords > 0) {
        s.label = o->words[0];
        if (!bench_label_ok(s.label))
            return bench_usage_error("not a label: letters, digits, '.', '_' and '-'", s.label);
    }
    return session_run(&s);
}

/* Those whose names begin with the word; without one, all. */
int bench_experiment(const bench_options *o)
{
    char filter[BENCH_NAME_MAX];
    bench_options named = *o;
    session s = {.options = &named, .choice = {.filter = filter}};

    snprintf(filter, sizeof filter, "experiment/%s*", o->nwords > 0 ? o->words[0] : "");
    named.filter = filter;
    return session_run(&s);
}

/* `choice`: which goals. */
static int judge(const bench_options *o, bench_choice choice)
{
    char *canonical = o->stored ? NULL : bench_results_canonical(o->results);
    session s = {
        .options = o, .choice = choice, .judge = true, .stored_path = o->stored ? o->stored : canonical};
    int status = session_run(&s);

    free(canonical);
    return status;
}

int bench_goals(const bench_options *o)
{
    return judge(o, (bench_choice){.filter = o->filter, .area = o->area, .with_goals = true});
}

int bench_open(const bench_options *o)
{
    return judge(
        o, (bench_choice){.filter = o->filter, .area = o->area, .workload = "open", .with_goals = true});
}

/* ---------------------------------------------------------- one peer, once -- */

typedef struct one_run {
    const bench_options *options;
    bench_place place;
    unsigned long ops;
    bool ok;
} one_run;

static bool run_case_once(const bench_case *c, void *ctx)
{
    one_run *r = ctx;
    size_t peer = bench_peer_index(c, r->options->peer);

    r->ok = peer < BENCH_PEERS_MAX && c->peers[peer].name;
    if (!r->ok)
        fprintf(stderr, "rsq-bench: %s/%s has no peer %s\n", c->workload, c->name, r->options->peer);
    else if (r->options->memory)
        r->ok = bench_memory_tell(c, peer, &r->place);
    else
        r->ok = bench_run_once(c, peer, &r->place, r->ops);
    return r->ok;
}

int bench_once(const bench_options *o)
{
    const bench_choice choice = {.filter = o->filter, .area = o->area};
    one_run r = {.options = o, .ops = 1};
    size_t cases;

    if (!o->peer)
        return bench_usage_error("needs --peer", "once");
    if (o->ops && !bench_options_number(o->ops, "not a number of operations", UINT32_MAX, &r.ops))
        return BENCH_EXIT_USAGE;
    if (o->memory)
        catch_signals(); /* a moment's work, which ends before the program that waits for it does */
    if (!bench_place_open(&r.place, o->dir))
        return BENCH_EXIT_USAGE;
    cases = bench_cases_each(&choice, run_case_once, &r);
    if (!bench_place_close(&r.place))
        r.ok = false;
    if (cases == 0)
        return bench_usage_error("no case matches", o->filter ? o->filter : "once");
    return r.ok ? BENCH_EXIT_OK : BENCH_EXIT_MISSED;
}

/* ------------------------------------------------------------ stored against stored -- */

int bench_compare_stored(const bench_options *o)
{
    bench_set before = {.n = 0};
    bench_set after = {.n = 0};
    bench_totals totals;
    int status = BENCH_EXIT_USAGE;

    if (bench_set_read(&before, o->words[0]) && bench_set_read(&after, o->words[1])) {
        bench_compare(&before, &after, NULL, NULL, stdout, &totals);
        status = o->gate && bench_totals_worse(&totals) ? BENCH_EXIT_MISSED : BENCH_EXIT_OK;
    }
    bench_set_free(&before);
    bench_set_free(&after);
    errno = 0;
    if (fflush(stdout) != 0 && status == BENCH_EXIT_OK) {
        output_failed("standard output");
        status = BENCH_EXIT_MISSED;
    }
    return status;
}
