/*
 * Reading results; see store.h. jansson parses; what it finds is checked here,
 * since a file of figures may come from another version or another hand.
 */
#include "store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "stats.h"

/* KiB below which nobody cares, and half an allocation, which is less than one. */
const bench_memory_name bench_memory_names[BENCH_MEMORIES] = {
    [BENCH_RSS] = {"rss_kib", "resident KiB", 256},
    [BENCH_HEAP] = {"heap_kib", "heap KiB", 16},
    [BENCH_ALLOCATIONS] = {"allocations", "allocations", 0.5},
    [BENCH_WAL] = {"wal_kib", "log KiB", 64},
};

unsigned bench_quantile_percent(size_t i)
{
    /* 0, 1, then steps of five up to 95, then 99 and 100. */
    if (i <= 1)
        return (unsigned)i;
    if (i >= BENCH_QUANTILES - 2)
        return i == BENCH_QUANTILES - 2 ? 99 : 100;
    return (unsigned)(i - 1) * 5;
}

bool bench_peer_is_ours(const char *peer)
{
    static const char name[] = "resqlite";

    return strncmp(peer, name, sizeof name - 1) == 0;
}

/* Where a value stands in its file, for messages. */
typedef struct place {
    const char *path;
    size_t line;
} place;

static bool complain(const place *at, const char *what, const char *about)
{
    fprintf(stderr, "rsq-bench: %s:%zu: %s%s\n", at->path, at->line, what, about);
    return false;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool take_text(const place *at, const json_t *object, const char *key, const char **out)
{
    *out = text_of(object, key);
    return (*out)[0] != '\0' || complain(at, "a case without ", key);
}

/* A figure that is there must be a number, finite and not below zero. */
static bool take_figure(const place *at, const json_t *object, const char *key, bool needed, double *out)
{
    const json_t *value = json_object_get(object, key);

    if (!value && !needed)
        return true;
    if (!json_is_number(value))
        return complain(at, "not a number: ", key);
    *out = json_number_value(value);
    return (isfinite(*out) && *out >= 0) || complain(at, "not a possible figure: ", key);
}

static bool take_row(const place *at, const json_t *object, const char *key, bench_row *out)
{
    const json_t *values = json_object_get(object, key);
    size_t n = json_array_size(values);

    if (!values)
        return true;
    if (!json_is_array(values) || n > BENCH_PASSES_MAX)
        return complain(at, "not a row of passes: ", key);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(values, i);

        if (!json_is_number(value))
            return complain(at, "not a number: ", key);
        out->values[i] = json_number_value(value);
    }
    out->n = n;
    return true;
}

static bool take_quantiles(const place *at, const json_t *object, bench_entry *e)
{
    const json_t *values = json_object_get(object, "quantiles");

    if (!values)
        return true;
    if (json_array_size(values) != BENCH_QUANTILES)
        return complain(at, "as many as expected are not there: ", "quantiles");
    for (size_t i = 0; i < BENCH_QUANTILES; i++)
        e->quantiles[i] = json_number_value(json_array_get(values, i));
    e->nquantiles = BENCH_QUANTILES;
    return true;
}

static double number_or(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* The figure has the name of its kind. */
static double goal_figure(const json_t *goal)
{
    return number_or(goal, "ratio", number_or(goal, "excess", number_or(goal, "value", NAN)));
}

static bool take_goals(const place *at, const json_t *object, bench_entry *e)
{
    const json_t *goals = json_object_get(object, "goals");

    for (size_t i = 0; i < json_array_size(goals) && e->ngoals < BENCH_STORED_GOALS_MAX; i++) {
        const json_t *goal = json_array_get(goals, i);
        bench_stored_goal *g = &e->goals[e->ngoals];

        *g = (bench_stored_goal){
            .area = text_of(goal, "area"),
            .to = text_of(goal, "to"),
            .figure = goal_figure(goal),
            .low = number_or(goal, "low", NAN),
            .high = number_or(goal, "high", NAN),
            .max = number_or(goal, "max", NAN),
        };
        if (isnan(g->figure) || isnan(g->max))
            return complain(at, "a goal without figure or limit", "");
        e->ngoals++;
    }
    return true;
}

static bool take_memory(const place *at, const json_t *object, bench_entry *e)
{
    const json_t *memory = json_object_get(object, "memory");

    for (size_t i = 0; i < BENCH_MEMORIES; i++) {
        if (!take_row(at, memory, bench_memory_names[i].key, &e->memory[i]))
            return false;
    }
    return true;
}

static bool take_case(bench_set *s, const place *at, const json_t *object)
{
    bench_entry e = {0};
    double samples = 0;
    bool ok;

    ok = take_text(at, object, "workload", &e.workload) && take_text(at, object, "case", &e.name) &&
         take_text(at, object, "peer", &e.peer) && take_text(at, object, "unit", &e.unit);
    ok = ok && take_figure(at, object, "median", true, &e.median) &&
         take_figure(at, object, "p90", true, &e.p90) && take_figure(at, object, "p99", true, &e.p99) &&
         take_figure(at, object, "mad", true, &e.mad) && take_figure(at, object, "n", true, &samples);
    ok = ok && take_figure(at, object, "ratio", false, &e.ratio) &&
         take_figure(at, object, "ratio_low", false, &e.ratio_low) &&
         take_figure(at, object, "ratio_high", false, &e.ratio_high) &&
         take_figure(at, object, "detectable", false, &e.detectable) &&
         take_figure(at, object, "size", false, &e.size);
    ok = ok && take_row(at, object, "passes", &e.passes) && take_quantiles(at, object, &e) &&
         take_memory(at, object, &e) && take_goals(at, object, &e);
    if (!ok)
        return false;
    if (bench_set_find(s, e.workload, e.name, e.peer))
        return complain(at, "there twice: ", e.peer);
    e.samples = (size_t)samples;
    e.ratio_to = json_string_value(json_object_get(object, "ratio_to"));
    e.noisy = json_is_true(json_object_get(object, "noisy"));
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        bench_entry *entries = realloc(s->entries, room * sizeof *entries);

        if (!entries)
            return complain(at, "out of memory", "");
        s->entries = entries;
        s->room = room;
    }
    s->entries[s->n++] = e;
    return true;
}

static void take_peers(bench_header *h, json_t *peers)
{
    const char *name;
    json_t *version;

    json_object_foreach(peers, name, version)
    {
        if (json_is_string(version) && h->npeers < BENCH_STORED_PEERS_MAX)
            h->peers[h->npeers++] = (bench_stored_peer){name, json_string_value(version)};
    }
}

static void take_header(bench_set *s, const json_t *header)
{
    s->header = (bench_header){
        .cpu = text_of(header, "cpu"),
        .kernel = text_of(header, "kernel"),
        .compiler = text_of(header, "compiler"),
        .files_on = text_of(header, "files_on"),
        .sqlite = text_of(header, "sqlite"),
        .sqlite_flags = text_of(header, "sqlite_flags"),
        .resqlite = text_of(header, "resqlite"),
        .others = text_of(header, "others"),
        .label = text_of(header, "label"),
        .date = text_of(header, "date"),
        .commit = text_of(header, "commit"),
        .cores = (long)json_integer_value(json_object_get(header, "cores")),
    };
    take_peers(&s->header, json_object_get(header, "peers"));
}

/* One JSON value of the file: a document, a header or a case. */
static bool take_value(bench_set *s, const place *at, const json_t *value)
{
    const json_t *header = json_object_get(value, "header");
    const json_t *cases = json_object_get(value, "cases");

    if (header)
        take_header(s, header);
    if (json_is_array(cases)) {
        for (size_t i = 0; i < json_array_size(cases); i++) {
            if (!take_case(s, at, json_array_get(cases, i)))
                return false;
        }
        return true;
    }
    return header || take_case(s, at, value);
}

static size_t skip_space(const char *text, size_t len, size_t at, size_t *line)
{
    for (; at < len && strchr(" \t\r\n", text[at]) && text[at] != '\0'; at++)
        *line += text[at] == '\n';
    return at;
}

bool bench_set_parse(bench_set *s, const char *path, const char *text, size_t len)
{
    place at = {.path = path, .line = 1};
    size_t used = skip_space(text, len, 0, &at.line);

    memset(s, 0, sizeof *s);
    s->path = path;
    take_header(s, NULL);
    s->values = json_array();
    while (used < len) {
        json_error_t error;
        json_t *value =
            json_loadb(text + used, len - used, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);

        if (!value) {
            at.line += error.line > 0 ? (size_t)error.line - 1 : 0;
            return complain(&at, "not JSON: ", error.text);
        }
        if (json_array_append_new(s->values, value) != 0)
            return complain(&at, "out of memory", "");
        if (!take_value(s, &at, value))
            return false;
        for (size_t i = used; i < used + (size_t)error.position; i++)
            at.line += text[i] == '\n';
        used = skip_space(text, len, used + (size_t)error.position, &at.line);
    }
    return s->n > 0 || complain(&at, "no results in it", "");
}

/* The whole file; NULL: said why. */
static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;

    *len = 0;
    while (f && !feof(f) && !ferror(f)) {
        if (*len == room) {
            char *more = realloc(text, room = room ? 2 * room : 65536);

            if (!more)
                break;
            text = more;
        }
        *len += fread(text + *len, 1, room - *len, f);
    }
    if (!f || ferror(f) || !feof(f)) {
        fprintf(stderr, "rsq-bench: %s: %s\n", path, errno ? strerror(errno) : "read error");
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

bool bench_set_read(bench_set *s, const char *path)
{
    size_t len;
    char *text;
    bool ok;

    memset(s, 0, sizeof *s);
    errno = 0;
    text = read_file(path, &len);
    if (!text)
        return false;
    ok = bench_set_parse(s, path, text, len);
    free(text);
    return ok;
}

void bench_set_free(bench_set *s)
{
    json_decref(s->values);
    free(s->entries);
    memset(s, 0, sizeof *s);
}

const bench_entry *bench_set_find(const bench_set *s, const char *workload, const char *name,
                                  const char *peer)
{
    for (size_t i = 0; i < s->n; i++) {
        const bench_entry *e = &s->entries[i];

        if (strcmp(e->workload, workload) == 0 && strcmp(e->name, name) == 0 && strcmp(e->peer, peer) == 0)
            return e;
    }
    return NULL;
}

static bench_reading reading_of_row(const bench_row *row)
{
    double scratch[BENCH_PASSES_MAX];
    bench_figures f = bench_figures_of(row->values, row->n, scratch);

    return (bench_reading){
        .value = f.median,
        .mad = f.mad,
        .detectable = bench_detectable(row->values, row->n, scratch),
        .passes = row->n,
    };
}

bench_reading bench_entry_time(const bench_entry *e)
{
    bench_reading r = {.value = e->median, .mad = e->mad, .detectable = e->detectable, .passes = 1};

    if (e->passes.n >= BENCH_PASSES_STABLE)
        r = reading_of_row(&e->passes);
    r.noisy = e->noisy;
    return r;
}

bench_reading bench_entry_memory(const bench_entry *e, bench_memory_kind kind)
{
    return reading_of_row(&e->memory[kind]);
}
