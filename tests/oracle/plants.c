#include "plants.h"

#ifdef RSQ_PLANTS

#include "base/plant.h"

rsq_plant rsq_planted = RSQ_PLANT_NONE;

static const char *const names[RSQ_PLANTS_END] = {
    [RSQ_PLANT_NONE] = "none",
    [RSQ_PLANT_TRIGGER] = "trigger",
    [RSQ_PLANT_FIRST_TABLE] = "first-table",
    [RSQ_PLANT_LATE_HOOK] = "late-hook",
    [RSQ_PLANT_NO_ROWID] = "no-rowid",
    [RSQ_PLANT_OR_FAIL] = "or-fail",
    [RSQ_PLANT_ROLLBACK_TO] = "rollback-to",
    [RSQ_PLANT_SCHEMA] = "schema",
    [RSQ_PLANT_FOREIGN] = "foreign",
    [RSQ_PLANT_CURSORS] = "cursors",
    [RSQ_PLANT_OLD_READS] = "old-reads",
    [RSQ_PLANT_MARK] = "mark",
    [RSQ_PLANT_ROW_COUNT] = "row-count",
    [RSQ_PLANT_VICTIM] = "victim",
    [RSQ_PLANT_GENERATED] = "generated",
    [RSQ_PLANT_COLLATION] = "collation",
    [RSQ_PLANT_AFFINITY] = "affinity",
    [RSQ_PLANT_OLD_KEY] = "old-key",
    [RSQ_PLANT_ROWID_CHANGE] = "rowid-change",
    [RSQ_PLANT_INDEX] = "index",
    [RSQ_PLANT_TYPE] = "type",
    [RSQ_PLANT_COUNT] = "count",
    [RSQ_PLANT_ATTACHED] = "attached",
    [RSQ_PLANT_TARGET] = "target",
    [RSQ_PLANT_GROUP] = "group",
    [RSQ_PLANT_SETS] = "sets",
    [RSQ_PLANT_ALONG] = "along",
};

unsigned plants_end(void)
{
    return RSQ_PLANTS_END;
}

void plant(unsigned number)
{
    rsq_planted = (rsq_plant)number;
}

const char *plant_name(unsigned number)
{
    return names[number];
}

#else

unsigned plants_end(void)
{
    return 0;
}

void plant(unsigned number)
{
    (void)number;
}

const char *plant_name(unsigned number)
{
    (void)number;
    return "";
}

#endif
