/*
 * `rsq-bench report RESULTS…`: one page that contains everything it shows. Tables
 * hold all figures and need nothing; where scripts run, charts are drawn from the
 * same figures (page/report.js, uPlot).
 */
#ifndef BENCH_PAGE_H
#define BENCH_PAGE_H

#include "options.h"

int bench_report(const bench_options *o);

#endif
