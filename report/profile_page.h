/* profile_page.h - a profile for people and spreadsheets: a page of text, tables, CSV.
 *
 * The tables are queries on profile_json()'s description, printed as all
 * tables of thimble are. -1 with errorf(). */
#ifndef PROFILE_PAGE_H
#define PROFILE_PAGE_H

#include "report/profile.h"
#include "results/results.h"

#include <stdio.h>

/* Sizes, the peak and what it is made of, the verdict. */
int profile_print_summary(const Profile *p, FILE *out);
/* A row a layer; a row a schedule; a row a point between least arena and least work. As table or
 * csv. */
int profile_print_layers(const Profile *p, Format format, FILE *out);
int profile_print_schedules(const Profile *p, Format format, FILE *out);
int profile_print_front(const Profile *p, Format format, FILE *out);

#endif
