#include "api/options.h"

#include "base/error.h"

/* No version of any of them will be larger; what says so is not one of them. */
#define SIZE_LIMIT 4096

#define IDLE_MS_DEFAULT 30000

rsq_code rsq_options_read(void *to, size_t size, const void *from, rsq_error *err)
{
    const unsigned char *bytes = from;
    size_t given;

    memset(to, 0, size);
    if (!from)
        return RSQ_OK;
    memcpy(&given, from, sizeof given);
    if (given < sizeof given || given > SIZE_LIMIT)
        return rsq_error_set(err, RSQ_EINVAL, "the options have no size, or one that cannot be");
    for (size_t i = size; i < given; i++) {
        if (bytes[i] != 0)
            return rsq_error_set(err, RSQ_EINVAL,
                                 "the options hold a setting that this version does not know");
    }
    memcpy(to, from, given < size ? given : size);
    return RSQ_OK;
}

rsq_code rsq_option_refuse(const char *name, rsq_error *err)
{
    return rsq_error_set(err, RSQ_EINVAL, "the option %s is out of range", name);
}

uint32_t rsq_option_idle_ms(uint32_t ms)
{
    return ms ? ms : IDLE_MS_DEFAULT;
}
