/* Copying a database into another file while it is in use. */
#ifndef RSQ_EXEC_BACKUP_H
#define RSQ_EXEC_BACKUP_H

#include "exec/core.h"

/* `o` is complete; `*commit_seq`: the newest commit in the copy. */
rsq_code rsq_core_backup(rsq_core *core, const rsq_client *client, const char *path,
                         const rsq_backup_options *o, uint64_t *commit_seq, rsq_error *err);

#endif
