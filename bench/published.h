/* Figures that others published of their libraries: shown as they are, in a place of their own, never in a
 * ratio. */
#ifndef BENCH_PUBLISHED_H
#define BENCH_PUBLISHED_H

#include <stdio.h>

/* The section of the report. */
void published_section(FILE *out);

#endif
