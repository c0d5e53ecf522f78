/* Defects that are built in, for the program that is linked with such a library; see src/base/plant.h. */
#ifndef ORACLE_PLANTS_H
#define ORACLE_PLANTS_H

/* One more than the last one's number; 0: this program has none. */
unsigned plants_end(void);

/* Switch it on, and the one before off. No database is open. */
void plant(unsigned number);
const char *plant_name(unsigned number);

#endif
