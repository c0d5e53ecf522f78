/*
 * Defects that can be switched on, so that the oracle of live queries can be
 * seen to find them: `RSQ_PLANTED(RSQ_PLANT_…)` where a mistake is easily made.
 * In the library it is the constant false, and the compiler leaves nothing of
 * it. Only a second static library, which tests/oracle/meson.build builds for
 * the program stream-oracle-plants, is compiled with RSQ_PLANTS.
 */
#ifndef RSQ_BASE_PLANT_H
#define RSQ_BASE_PLANT_H

#include <stdbool.h>

/* The numbers are those of `stream-oracle-plants --plant N`. */
typedef enum rsq_plant {
    RSQ_PLANT_NONE,
    RSQ_PLANT_TRIGGER,     /* rows that triggers and foreign keys write are ignored */
    RSQ_PLANT_FIRST_TABLE, /* of a statement only the first table is noted */
    RSQ_PLANT_LATE_HOOK, /* the hook comes after statements are compiled: DELETE without WHERE says nothing */
    RSQ_PLANT_NO_ROWID,  /* rows of tables WITHOUT ROWID are ignored */
    RSQ_PLANT_OR_FAIL,   /* rows that a failed statement keeps are forgotten */
    RSQ_PLANT_ROLLBACK_TO,  /* it clears what was noted before the savepoint as well */
    RSQ_PLANT_SCHEMA,       /* schema changes are not noted */
    RSQ_PLANT_FOREIGN,      /* commits of other processes are ignored */
    RSQ_PLANT_CURSORS,      /* of what a query reads only the authorizer's word counts */
    RSQ_PLANT_OLD_READS,    /* what a query reads is not found out anew after a schema change */
    RSQ_PLANT_MARK,         /* a commit during a run does not cause another run */
    RSQ_PLANT_ROW_COUNT,    /* answers with as many rows are equal */
    RSQ_PLANT_VICTIM,       /* the row that REPLACE removes is ignored */
    RSQ_PLANT_GENERATED,    /* a generated column does not stand for those that it is made from */
    RSQ_PLANT_COLLATION,    /* keys are compared byte by byte */
    RSQ_PLANT_AFFINITY,     /* keys are compared as they were bound */
    RSQ_PLANT_OLD_KEY,      /* an UPDATE concerns the new key only */
    RSQ_PLANT_ROWID_CHANGE, /* a row id that changes is an UPDATE like others */
    RSQ_PLANT_INDEX,        /* the columns of an index that is used are ignored */
    RSQ_PLANT_TYPE,         /* numbers are compared without their type */
    RSQ_PLANT_COUNT,        /* a query without columns does not depend on which rows there are */
    RSQ_PLANT_ATTACHED,     /* tables of all files are taken for those of main */
    RSQ_PLANT_TARGET,       /* a batch is believed to change its own table only, whatever triggers do */
    RSQ_PLANT_GROUP,        /* the queries of a group are read one after the other, as each comes */
    RSQ_PLANT_SETS,         /* of the columns that an UPDATE sets only the first one is noted */
    RSQ_PLANT_ALONG,        /* an answer that begins with the rows of the last one is taken for it */
    RSQ_PLANTS_END
} rsq_plant;

#ifdef RSQ_PLANTS
extern rsq_plant rsq_planted; /* of the program; written while no database is open */
#define RSQ_PLANTED(plant) (rsq_planted == (plant))
#else
#define RSQ_PLANTED(plant) false
#endif

#endif
