/*
 * The demo's database: made from the data set by the first run, found again by
 * the next one.
 *
 * What a run changes is undone at its end, and by the next run if it had no
 * proper end: a trigger keeps the old values of each city that is updated, in
 * the same commit as the update, and whatever is behind the last imported row
 * was added by the demo.
 */
#ifndef DEMO_DATA_H
#define DEMO_DATA_H

#include <stdint.h>

#include <resqlite.h>

typedef struct data_source {
    const char *cities;   /* the data set, a JSON array */
    const char *database; /* path; need not exist */
    const char *command;  /* resqlite, which imports */
} data_source;

typedef struct data {
    rsq_db *db;       /* owned: rsq_close() */
    int64_t cities;   /* rows; their keys are 1 to this */
    int64_t followed; /* key of the city that the third live query looks at */
} data;

/** The city that the third live query looks at. */
#define DATA_FOLLOWED "Reykjavík"

/** Open the database, importing first if it must be. False: the one line about it was printed. */
bool data_open(data *d, const data_source *source);

/** Undo what a run has changed. */
rsq_code data_restore(rsq_db *db, rsq_error *err);

/** Print "demo: " and one line on stderr; returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
bool data_complain(const char *format, ...);

#endif
