/* profile_json.h - a profile as data: the one description from which all forms are made.
 *
 * `--json` prints it as it is; the tables and the CSV are queries on it. Its
 * form is a contract with whoever reads it: schema_version grows when a key
 * goes or changes its meaning, not when one comes. Bytes, fractions and
 * counts are plain numbers; a layer's output is tensor [1 + its index]. */
#ifndef PROFILE_JSON_H
#define PROFILE_JSON_H

#include "report/profile.h"

#include <jansson.h>

#define PROFILE_SCHEMA 1

/* Everything; yours to json_decref(). schedules, front: with those, too. */
typedef struct {
    bool schedules, front;
} ProfileDetail;
json_t *profile_json(const Profile *p, ProfileDetail detail);

/* What it says of one part, by itself. */
json_t *profile_json_layers(const Profile *p);
json_t *profile_json_peak(const Profile *p);
json_t *profile_json_schedules(const Profile *p);
json_t *profile_json_front(const Profile *p);

#endif
