/* config_keys.h - the keys of a job's YAML, as tables: where each value goes, its bounds and a
 * line of help. The keys of a space and of a target are parts of a job's. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/schema.h"

extern const Key job_keys[];    /* a Job */
extern const Key space_keys[];  /* a Space */
extern const Key target_keys[]; /* a Target; its end is what calibrate fits: code, latency */

#endif
