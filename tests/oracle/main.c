/*
 * stream-oracle: the invariant of live queries, tried on random schemas,
 * queries and commits. Once writes stop, each live query's last result is what
 * a fresh run of its SQL gives, and it was delivered only when it changed.
 *
 *   stream-oracle [--seed S] [--commits N] [--minutes M] [--episode E] [--verbose]
 *   stream-oracle-plants --plant P …   the same, with a defect built in; 0: with each in turn
 *
 * A seed stands for an endless row of episodes, each a database of its own. A
 * failure is made small and printed as SQL; the exit status is 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "foreign.h"
#include "gate.h"
#include "plants.h"
#include "random.h"
#include "shrink.h"

/* From here on it is expected that everything has happened at least once. */
#define COMMITS_FOR_ALL 5000

typedef struct settings {
    uint64_t seed;
    uint64_t commits;
    unsigned minutes;
    uint64_t episode; /* begin with this one */
    bool verbose;
    bool plants;    /* look for a defect */
    uint64_t plant; /* 0: for each */
    char folder[200];
} settings;

static int usage(void)
{
    fprintf(stderr,
            "usage: stream-oracle [--seed S] [--commits N] [--minutes M] [--episode E] [--verbose]\n");
    return 2;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    if (!text || !text[0])
        return false;
    *out = strtoull(text, &end, 0);
    return errno == 0 && *end == '\0';
}

static bool parse(settings *s, int argc, char **argv)
{
    uint64_t n;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            s->verbose = true;
            continue;
        }
        if (i + 1 == argc || !parse_number(argv[i + 1], &n))
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            s->seed = n;
        else if (strcmp(argv[i], "--commits") == 0)
            s->commits = n;
        else if (strcmp(argv[i], "--minutes") == 0)
            s->minutes = (unsigned)n;
        else if (strcmp(argv[i], "--episode") == 0)
            s->episode = n;
        else if (strcmp(argv[i], "--plant") == 0 && n < plants_end())
            s->plants = true, s->plant = n;
        else
            return false;
        i++;
    }
    return true;
}

/* In memory if there is a file system for that. */
static bool make_folder(settings *s)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(s->folder, sizeof s->folder, "/dev/shm/oracle-XXXXXX");
    if (mkdtemp(s->folder))
        return true;
    snprintf(s->folder, sizeof s->folder, "%s/oracle-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(s->folder) != NULL;
}

static uint64_t episode_seed(uint64_t seed, uint64_t number)
{
    random_state r = {.state = seed};

    r.state = random_next(&r) + number;
    return random_next(&r);
}

static int tell_failure(const settings *s, plan *p, const failure *f, const run_options *options,
                        uint64_t number)
{
    run_options told = *options;
    tally ignored = {0};
    size_t ncommits, statements;

    printf("FAILED: %s\nseed %" PRIu64 ", episode %" PRIu64 ", commit %zu\n", f->what, s->seed, number,
           f->commit);
    if (f->query < p->nqueries)
        printf("query: %s\n", p->queries[f->query].sql);
    plan_print_commit(p, f->commit, stdout);
    fflush(stdout);
    ncommits = shrink_plan(p, f, options);
    told.report = stdout;
    printf("-- made small:\n");
    statements = plan_print(p, ncommits, stdout);
    (void)run_plan(p, ncommits, &told, &ignored);
    printf("-- %zu statements\n", statements);
    return 1;
}

static bool is_time_up(const settings *s, const tally *t, time_t start)
{
    if (s->minutes)
        return time(NULL) - start >= (time_t)s->minutes * 60;
    return t->commits >= s->commits;
}

static int run_all(const settings *s, const run_options *options)
{
    time_t start = time(NULL);
    tally t = {0};
    uint64_t number;
    int status = 0;

    printf("seed %" PRIu64 "\n", s->seed);
    for (number = s->episode; status == 0 && !is_time_up(s, &t, start); number++) {
        uint64_t seed = episode_seed(s->seed, number);
        plan p = {0};
        failure f;

        plan_generate(&p, seed, 200 + seed % 400);
        f = run_plan(&p, p.ncommits, options, &t);
        if (f.failed)
            status = tell_failure(s, &p, &f, options, number);
        if (s->verbose)
            printf("episode %" PRIu64 ": %zu streams, %" PRIu64 " commits so far\n", number, p.nqueries,
                   t.commits);
        plan_fini(&p);
    }
    tally_print(&t, stdout);
    if (status == 0 && t.commits >= COMMITS_FOR_ALL && tally_missing(&t)) {
        printf("FAILED: no %s\n", tally_missing(&t));
        status = 1;
    }
    return status;
}

/* ------------------------------------------------------- plants -- */

/* More, and a failure is not small. */
#define STATEMENTS_MAX 10

/* What it found is made small; how many statements that are. */
static size_t make_small(plan *p, const failure *f, const run_options *options, const settings *s)
{
    size_t ncommits = shrink_plan(p, f, options);
    size_t statements = plan_count(p, ncommits);
    run_options told = *options;
    tally ignored = {0};

    if (s->verbose || statements > STATEMENTS_MAX) {
        printf("%s\n", f->what);
        (void)plan_print(p, ncommits, stdout);
        told.report = stdout;
        (void)run_plan(p, ncommits, &told, &ignored);
    }
    return statements;
}

/* So often must a failure come again before it is made small. */
#define AGAIN 4

static bool comes_again(const plan *p, const failure *f, const run_options *options)
{
    tally ignored = {0};
    unsigned again = 0;

    while (again < AGAIN && run_plan(p, f->commit + 1, options, &ignored).failed)
        again++;
    return again == AGAIN;
}

static bool find_plant(const settings *s, const run_options *options, unsigned number)
{
    tally t = {0};
    bool found = false, small = false;

    plant(number);
    for (uint64_t i = s->episode; !found && t.commits < s->commits; i++) {
        uint64_t seed = episode_seed(s->seed, i);
        plan p = {0};
        failure f;

        plan_generate(&p, seed, 200 + seed % 400);
        /* What is found by luck cannot be made small. */
        p.steady = true;
        f = run_plan(&p, p.ncommits, options, &t);
        found = f.failed && comes_again(&p, &f, options);
        if (found) {
            uint64_t commits = t.commits;
            size_t statements = make_small(&p, &f, options, s);

            small = statements <= STATEMENTS_MAX;
            printf("%2u  %-16s %8" PRIu64 " %10zu%s\n", number, plant_name(number), commits, statements,
                   small ? "" : "  FAILED: too many");
        }
        plan_fini(&p);
    }
    if (!found)
        printf("%2u  %-16s FAILED: not found in %" PRIu64 " commits\n", number, plant_name(number),
               t.commits);
    fflush(stdout);
    return found && small;
}

static int find_plants(const settings *s, const run_options *options)
{
    unsigned first = s->plant ? (unsigned)s->plant : 1, end = s->plant ? first + 1 : plants_end();
    int status = 0;

    printf("seed %" PRIu64 "\n    plant             commits statements\n", s->seed);
    for (unsigned i = first; i < end; i++) {
        if (!find_plant(s, options, i))
            status = 1;
    }
    return status;
}

int main(int argc, char **argv)
{
    settings s = {.seed = 1, .commits = 20000};
    run_options options;
    int status;

    if (argc >= 3 && strcmp(argv[1], "--foreign") == 0)
        return foreign_main(argv[2], argv[3]);
    if (!parse(&s, argc, argv))
        return usage();
    if (!make_folder(&s)) {
        perror("mkdtemp");
        return 2;
    }
    gate_register();
    options = (run_options){.folder = s.folder};
    status = s.plants ? find_plants(&s, &options) : run_all(&s, &options);
    (void)rmdir(s.folder);
    return status;
}
