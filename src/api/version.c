/* What is running: versions, features, names of codes. */
#include "resqlite.h"
#include "sql/conn.h"

const char *rsq_version(void)
{
    return RSQ_VERSION;
}

const char *rsq_sqlite_version(void)
{
    return rsq_sql_version();
}

uint32_t rsq_features(void)
{
    return rsq_sql_features() | (RSQ_PROFILE ? RSQ_FEATURE_PROFILE : 0);
}

static const char *const names[] = {
    [RSQ_OK] = "RSQ_OK",
    [RSQ_EINVAL] = "RSQ_EINVAL",
    [RSQ_EMISUSE] = "RSQ_EMISUSE",
    [RSQ_ECLOSED] = "RSQ_ECLOSED",
    [RSQ_ESQL] = "RSQ_ESQL",
    [RSQ_EREADONLY] = "RSQ_EREADONLY",
    [RSQ_EREFUSED] = "RSQ_EREFUSED",
    [RSQ_EBUSY] = "RSQ_EBUSY",
    [RSQ_ETIMEOUT] = "RSQ_ETIMEOUT",
    [RSQ_ECANCELLED] = "RSQ_ECANCELLED",
    [RSQ_ECANTOPEN] = "RSQ_ECANTOPEN",
    [RSQ_ENOTADB] = "RSQ_ENOTADB",
    [RSQ_ECORRUPT] = "RSQ_ECORRUPT",
    [RSQ_EIO] = "RSQ_EIO",
    [RSQ_EFULL] = "RSQ_EFULL",
    [RSQ_ENOMEM] = "RSQ_ENOMEM",
    [RSQ_ETOOBIG] = "RSQ_ETOOBIG",
    [RSQ_EUNSUPPORTED] = "RSQ_EUNSUPPORTED",
    [RSQ_EPENDING] = "RSQ_EPENDING",
    [RSQ_ESNAPSHOT] = "RSQ_ESNAPSHOT",
    [RSQ_ENEWER] = "RSQ_ENEWER",
};

const char *rsq_code_name(rsq_code code)
{
    size_t i = (size_t)code;

    return i < sizeof names / sizeof names[0] ? names[i] : "unknown code";
}
