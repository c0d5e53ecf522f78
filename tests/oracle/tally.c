#include "tally.h"

#include <inttypes.h>
#include <stddef.h>

/* Those that must not be zero. */
static const struct {
    const char *name;
    size_t offset;
} required[] = {
    {"trigger", offsetof(tally, triggers)},
    {"cascade", offsetof(tally, cascades)},
    {"REPLACE victim", offsetof(tally, victims)},
    {"rowid change", offsetof(tally, key_changes)},
    {"DELETE without WHERE", offsetof(tally, truncates)},
    {"ROLLBACK TO", offsetof(tally, undone)},
    {"DDL", offsetof(tally, schema_changes)},
    {"FTS5", offsetof(tally, fts)},
    {"generated column", offsetof(tally, generated)},
    {"other process", offsetof(tally, foreign)},
    {"suppressed", offsetof(tally, suppressed)},
    {"error event", offsetof(tally, errors)},
    {"attached", offsetof(tally, attached)},
    {"difference", offsetof(tally, differences)},
    {"moved window", offsetof(tally, moves)},
    {"group", offsetof(tally, grouped)},
    {"compared in a group", offsetof(tally, twins)},
    {"commit during a run", offsetof(tally, met_runs)},
    {"origin skipped", offsetof(tally, left_out)},
    {"spared by column", offsetof(tally, by_column)},
    {"by value", offsetof(tally, by_value)},
    {"by key", offsetof(tally, by_key)},
};

#define REQUIRED_COUNT (sizeof required / sizeof required[0])

static uint64_t value_of(const tally *t, size_t i)
{
    return *(const uint64_t *)(const void *)((const char *)t + required[i].offset);
}

void tally_print(const tally *t, FILE *out)
{
    fprintf(out,
            "%" PRIu64 " commits in %" PRIu64 " databases, %" PRIu64 " statements, %" PRIu64
            " of them refused\n",
            t->commits, t->episodes, t->statements, t->refused);
    fprintf(out,
            "%" PRIu64 " streams: %" PRIu64 " results, %" PRIu64 " errors; woken %" PRIu64 ", runs %" PRIu64
            ", suppressed %" PRIu64 ", replaced %" PRIu64 "\n",
            t->streams, t->results, t->errors, t->woken, t->runs, t->suppressed, t->replaced);
    fprintf(out,
            "%" PRIu64 " comparisons, %" PRIu64 " as multisets, %" PRIu64 " skipped, %" PRIu64
            " without a row, %" PRIu64 " of a failing query\n",
            t->checks, t->reordered, t->chosen, t->empty, t->failing);
    fprintf(out, "happened:");
    for (size_t i = 0; i < REQUIRED_COUNT; i++)
        fprintf(out, "%s %s %" PRIu64, i ? "," : "", required[i].name, value_of(t, i));
    fprintf(out, "\n");
}

const char *tally_missing(const tally *t)
{
    for (size_t i = 0; i < REQUIRED_COUNT; i++) {
        if (value_of(t, i) == 0)
            return required[i].name;
    }
    /* Unsure comparisons are fewer than one in ten. */
    if ((t->reordered + t->chosen) * 10 >= t->checks)
        return "certainty";
    return NULL;
}
