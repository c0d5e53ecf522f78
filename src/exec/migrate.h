/*
 * Migrations: scripts that bring a database to the form that a program expects,
 * each run once, in its order, in a transaction of its own, and written down in
 * the table rsq_migrations by that same transaction.
 *
 * What is written down is compared with the list inside each transaction, which
 * holds the write lock: so several processes may migrate one file at once, and
 * each script runs in one of them. A reader looks first, so that a program whose
 * database is up to date takes no lock.
 */
#ifndef RSQ_EXEC_MIGRATE_H
#define RSQ_EXEC_MIGRATE_H

#include "exec/core.h"

/* `list` is checked: names and texts are there, and no name is there twice. `*applied`: written in any case.
 */
rsq_code rsq_core_migrate(rsq_core *core, const rsq_client *client, const rsq_migration *list, size_t count,
                          uint32_t timeout_ms, size_t *applied, rsq_error *err);

#endif
