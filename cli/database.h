/*
 * Opening the database that is named on the command line.
 */
#ifndef CLI_DATABASE_H
#define CLI_DATABASE_H

#include <stdint.h>

#include <resqlite.h>

/**
 * Open a database with RSQ_OPEN_… flags.
 * @return STATUS_OK, and then rsq_close() ends it, or, reported, STATUS_OPEN.
 */
int database_open(const char *path, uint32_t flags, rsq_db **out);

/**
 * Open a database that exists, to read it, and leave it as it is.
 *
 * A connection that may write puts the file into WAL mode for good, one that
 * may not leaves the log's files behind when it was the last one. So a file
 * that is in WAL mode already is opened for writing, if it can be, and any
 * other one for reading only.
 */
int database_open_for_reading(const char *path, rsq_db **out);

#endif
