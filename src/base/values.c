#include "base/values.h"

#include "base/error.h"

static bool has_bytes(const rsq_value *v)
{
    return v->type >= RSQ_TEXT && v->len > 0;
}

rsq_code rsq_values_check(const rsq_value *values, size_t n, rsq_error *err)
{
    if (n && !values)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", n);
    for (size_t i = 0; i < n; i++) {
        const rsq_value *v = &values[i];

        if (v->type > RSQ_BLOB)
            return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has the unknown type %u", i + 1, v->type);
        if (has_bytes(v) && !v->as.blob)
            return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has %u bytes at NULL", i + 1, v->len);
    }
    return RSQ_OK;
}

size_t rsq_values_size(const rsq_value *values, size_t n)
{
    size_t size = n * sizeof *values;

    for (size_t i = 0; i < n; i++)
        size += has_bytes(&values[i]) ? values[i].len : 0;
    return size;
}

char *rsq_values_pack(void *to, const rsq_value *values, size_t n)
{
    rsq_value *copy = to;
    char *bytes = (char *)(copy + n);

    for (size_t i = 0; i < n; i++) {
        copy[i] = values[i];
        if (!has_bytes(&values[i]))
            continue;
        memcpy(bytes, values[i].as.blob, values[i].len);
        copy[i].as.text = bytes;
        bytes += values[i].len;
    }
    return bytes;
}
