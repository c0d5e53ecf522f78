/* Arguments of calls, checked and turned into requests. */
#ifndef RSQ_API_REQUEST_H
#define RSQ_API_REQUEST_H

#include "sql/conn.h"

bool rsq_json_flags_are_valid(uint32_t flags);

/* A limit of the caller's in the size of this machine. */
size_t rsq_bytes_max(uint64_t max_result_bytes);

/*
 * `count` queries as requests, in one block that rsq_free() frees; SQL and
 * values stay borrowed. RSQ_OK, RSQ_EINVAL, RSQ_ENOMEM.
 */
rsq_code rsq_requests_read(const rsq_query *queries, size_t count, uint32_t json, uint64_t max_result_bytes,
                           rsq_request **out, rsq_error *err);

#endif
