/* The command line; see options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const bench_effort bench_effort_full = {.samples_min = 15, .seconds = 1.0, .shorten = 1};
const bench_effort bench_effort_quick = {.samples_min = 5, .seconds = 0.05, .shorten = 4};

/* Options with a value, and where it goes. */
static const struct {
    const char *name;
    size_t offset; /* of a const char * in bench_options */
} values[] = {
    {"--filter", offsetof(bench_options, filter)},
    {"--area", offsetof(bench_options, area)},
    {"--json", offsetof(bench_options, json_path)},
    {"--dir", offsetof(bench_options, dir)},
    {"--peer", offsetof(bench_options, peer)},
    {"--ops", offsetof(bench_options, ops)},
    {"--instructions", offsetof(bench_options, counts)},
    {"--repeat", offsetof(bench_options, repeat)},
    {"--compare-to", offsetof(bench_options, compare_to)},
    {"--results", offsetof(bench_options, results)},
    {"--stored", offsetof(bench_options, stored)},
};

int bench_usage_error(const char *what, const char *about)
{
    fprintf(stderr, "rsq-bench: %s: %s; see rsq-bench --help\n", about, what);
    return BENCH_EXIT_USAGE;
}

/* NULL: there is no such option. */
static const char **value_of(bench_options *o, const char *name)
{
    for (size_t i = 0; i < BENCH_LENGTH(values); i++) {
        if (strcmp(name, values[i].name) == 0)
            return (const char **)(void *)((char *)o + values[i].offset);
    }
    return NULL;
}

static bool take_word(bench_options *o, const char *word)
{
    if (o->nwords == BENCH_WORDS_MAX) {
        bench_usage_error("too many", word);
        return false;
    }
    o->words[o->nwords++] = word;
    return true;
}

/* False: it is not one of those without a value. */
static bool take_flag(bench_options *o, const char *name)
{
    if (strcmp(name, "--quick") == 0)
        o->effort = &bench_effort_quick;
    else if (strcmp(name, "--all") == 0)
        o->all = true;
    else if (strcmp(name, "--slow") == 0)
        o->slow = true;
    else if (strcmp(name, "--gate") == 0)
        o->gate = true;
    else if (strcmp(name, "--memory") == 0)
        o->memory = true;
    else
        return false;
    return true;
}

bool bench_options_parse(bench_options *o, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **value;

        if (strncmp(argv[i], "--", 2) != 0) {
            if (!take_word(o, argv[i]))
                return false;
            continue;
        }
        if (take_flag(o, argv[i]))
            continue;
        value = value_of(o, argv[i]);
        if (!value || i + 1 == argc) {
            bench_usage_error(value ? "needs a value" : "no such option", argv[i]);
            return false;
        }
        *value = argv[++i];
    }
    return true;
}

bool bench_options_fit(const bench_options *o, const bench_command *command)
{
    if (o->nwords > command->words_max)
        bench_usage_error("one too many", o->words[command->words_max]);
    else if (o->nwords < command->words_min)
        bench_usage_error(command->wants, command->name);
    else
        return true;
    return false;
}

bool bench_options_number(const char *text, const char *of_what, unsigned long max, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out > 0 && *out <= max)
        return true;
    bench_usage_error(of_what, text);
    return false;
}
