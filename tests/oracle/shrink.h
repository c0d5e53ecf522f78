/* Make a failing plan small. */
#ifndef ORACLE_SHRINK_H
#define ORACLE_SHRINK_H

#include "run.h"

/* Mark what is not needed for a failure as dropped. Returns how many commits of the plan are left. */
size_t shrink_plan(plan *p, const failure *f, const run_options *options);

#endif
