/*
 * The method, in the order it happens:
 *
 *   1. every peer opens a database of its own, of equal content;
 *   2. every peer hashes its whole answer; peers with the same kind of answer
 *      must agree, or the case fails: a fast wrong answer is no figure;
 *   3. the number of operations in a block is found: so many that a block of the
 *      fastest peer takes a few milliseconds. All peers get the same number;
 *   4. two rounds warm up, the rest is recorded: A B C A B C. Whatever drifts
 *      during the run (clock speed, neighbours on the machine, a growing file)
 *      meets all peers alike;
 *   5. in every round the sums over the values visited must agree as well.
 *
 * A sample is the time of one block divided by its operations, or what a peer has
 * counted in the block instead, divided likewise.
 */
#include "measure.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_ROUNDS 2
#define ESTIMATES 3
#define ESTIMATES_FIRST ((uint64_t)1 << 32) /* their operations are numbered apart, and none comes twice */
#define SAMPLES_MAX 1000
#define SLOWEST_OVER_TARGET 6 /* a block of the slowest peer takes at most so many times the target */

static volatile sig_atomic_t interrupted;

/* One peer while its case is measured. */
typedef struct runner {
    bench_ctx ctx;
    void *state; /* owned: ops->close() */
} runner;

typedef struct race {
    const bench_case *of;
    size_t peers;
    runner runners[BENCH_PEERS_MAX];
    uint64_t loops;
    uint64_t next; /* number of the next operation */
} race;

void bench_interrupt(void)
{
    interrupted = 1;
}

static size_t count_peers(const bench_case *of)
{
    size_t n = 0;

    while (n < BENCH_PEERS_MAX && of->peers[n].name)
        n++;
    return n;
}

static bool race_open(race *r, const bench_place *place)
{
    for (size_t i = 0; i < r->peers; i++) {
        runner *x = &r->runners[i];

        x->ctx.of = r->of;
        x->ctx.peer = &r->of->peers[i];
        bench_place_database(place, i, x->ctx.path);
        x->state = x->ctx.peer->ops->open(&x->ctx);
        if (!x->state)
            return false;
    }
    return true;
}

static void race_close(race *r)
{
    for (size_t i = 0; i < r->peers; i++) {
        runner *x = &r->runners[i];

        if (x->state)
            x->ctx.peer->ops->close(x->state);
        if (x->ctx.of)
            bench_place_remove(x->ctx.path);
    }
}

/* Index of the first peer whose answer must equal that of peer `i`; `i` itself if it is the first. */
static size_t first_of_answer(const race *r, size_t i)
{
    const char *answer = r->of->peers[i].ops->answer;
    size_t first = 0;

    while (strcmp(r->of->peers[first].ops->answer, answer) != 0)
        first++;
    return first;
}

static bool answers_agree(race *r)
{
    uint64_t hashes[BENCH_PEERS_MAX];

    for (size_t i = 0; i < r->peers; i++) {
        runner *x = &r->runners[i];
        size_t first = first_of_answer(r, i);

        if (!x->ctx.peer->ops->hash(x->state, &hashes[i]))
            return false;
        if (hashes[i] != hashes[first])
            return bench_fail(&x->ctx, "its answer differs from that of %s", r->of->peers[first].name);
    }
    return true;
}

/* What came out of a block, by operation. */
typedef struct sample {
    double us;     /* time */
    double figure; /* what is recorded: the same, but for ops with a figure of their own */
} sample;

static bool run_block(runner *x, bench_block *b, sample *out)
{
    const bench_ops *ops = x->ctx.peer->ops;
    int64_t started;

    if (ops->prepare && !ops->prepare(x->state))
        return false;
    b->sum = 0;
    b->paused_ns = 0;
    b->figure = 0;
    started = bench_now_ns();
    if (!ops->run(x->state, b))
        return false;
    out->us = (double)(bench_now_ns() - started - b->paused_ns) / 1000.0 / (double)b->count;
    out->figure = ops->own_figure ? b->figure / (double)b->count : out->us;
    return true;
}

/* Time of one operation: the best of a few blocks long enough to be measured. Warms the peer up as well. */
static bool estimate(runner *x, double target_us, double *per_op_us)
{
    bench_block b = {.first = ESTIMATES_FIRST, .count = 1};
    int long_enough = 0;

    *per_op_us = HUGE_VAL;
    while (long_enough < ESTIMATES && !interrupted) {
        sample s;

        if (!run_block(x, &b, &s))
            return false;
        if (s.us < *per_op_us)
            *per_op_us = s.us;
        b.first += b.count;
        if (s.us * (double)b.count >= target_us / 4)
            long_enough++;
        else
            b.count *= 2;
    }
    return true;
}

static bool calibrate(race *r, const bench_effort *effort)
{
    double target_us = 1000.0 * (r->of->sample_ms ? r->of->sample_ms : BENCH_SAMPLE_MS) / effort->shorten;
    double fastest = 0;
    double slowest = 0;
    double loops;

    for (size_t i = 0; i < r->peers; i++) {
        double us;

        if (!estimate(&r->runners[i], target_us, &us))
            return false;
        fastest = i == 0 || us < fastest ? us : fastest;
        slowest = us > slowest ? us : slowest;
    }
    loops = target_us / fastest;
    if (loops * slowest > SLOWEST_OVER_TARGET * target_us)
        loops = SLOWEST_OVER_TARGET * target_us / slowest;
    r->loops = loops < 1 ? 1 : (uint64_t)loops;
    return true;
}

/* Each peer once. */
static bool run_round(race *r, sample samples[BENCH_PEERS_MAX])
{
    bench_block blocks[BENCH_PEERS_MAX];

    for (size_t i = 0; i < r->peers; i++) {
        runner *x = &r->runners[i];
        size_t first = first_of_answer(r, i);

        blocks[i] = (bench_block){.first = r->next, .count = r->loops};
        if (!run_block(x, &blocks[i], &samples[i]))
            return false;
        if (blocks[i].sum != blocks[first].sum && !x->ctx.peer->ops->own_sum)
            return bench_fail(&x->ctx, "visited other values than %s", r->of->peers[first].name);
    }
    r->next += r->loops;
    return true;
}

static bool record(race *r, const bench_effort *effort, bench_outcome *o)
{
    double enough_us = effort->seconds * 1e6 * (double)r->peers;
    double spent_us = 0;

    while (o->n < SAMPLES_MAX && (o->n < effort->samples_min || spent_us < enough_us) && !interrupted) {
        sample samples[BENCH_PEERS_MAX];

        if (!run_round(r, samples))
            return false;
        for (size_t i = 0; i < r->peers; i++) {
            o->samples[i][o->n] = samples[i].figure;
            spent_us += samples[i].us * (double)r->loops;
        }
        o->n++;
    }
    return true;
}

static bool race_run(race *r, const bench_place *place, const bench_effort *effort, bench_outcome *o)
{
    sample ignored[BENCH_PEERS_MAX];

    if (!race_open(r, place) || !answers_agree(r) || !calibrate(r, effort))
        return false;
    if (!bench_outcome_init(o, r->of, r->peers, SAMPLES_MAX))
        return bench_fail(&r->runners[0].ctx, "out of memory");
    o->loops = r->loops;
    for (int i = 0; i < WARM_UP_ROUNDS && !interrupted; i++) {
        if (!run_round(r, ignored))
            return false;
    }
    return record(r, effort, o);
}

bench_end bench_measure(const bench_case *of, const bench_place *place, const bench_effort *effort,
                        bench_outcome *out)
{
    race r = {.of = of, .peers = count_peers(of)};
    bool ok;

    memset(out, 0, sizeof *out);
    ok = race_run(&r, place, effort, out);
    race_close(&r);
    if (interrupted)
        return BENCH_INTERRUPTED;
    if (!ok)
        return BENCH_FAILED;
    bench_outcome_close_pass(out);
    return BENCH_MEASURED;
}

/* The function whose instructions a tool may be told to count; so it is neither inlined nor static. */
bool bench_counted_block(const bench_ops *ops, void *state, bench_block *b);

__attribute__((noinline)) bool bench_counted_block(const bench_ops *ops, void *state, bench_block *b)
{
    return ops->run(state, b);
}

bool bench_run_once(const bench_case *of, size_t peer, const bench_place *place, uint64_t count)
{
    const bench_ops *ops = of->peers[peer].ops;
    bench_block warm_up = {.count = count};
    bench_block counted = {.first = count, .count = count};
    bench_ctx ctx = {.of = of, .peer = &of->peers[peer]};
    uint64_t hash;
    void *state;
    bool ok;

    bench_place_database(place, peer, ctx.path);
    state = ops->open(&ctx);
    ok = state && ops->hash(state, &hash);
    ok = ok && (!ops->prepare || ops->prepare(state)) && ops->run(state, &warm_up);
    ok = ok && (!ops->prepare || ops->prepare(state)) && bench_counted_block(ops, state, &counted);
    if (state)
        ops->close(state);
    bench_place_remove(ctx.path);
    return ok;
}
