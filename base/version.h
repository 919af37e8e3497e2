/* version.h - which thimble this is. */
#ifndef VERSION_H
#define VERSION_H

#define THIMBLE_NUMBER "0.1.0"
#ifndef THIMBLE_COMMIT
#define THIMBLE_COMMIT "unknown commit"
#endif
#define THIMBLE_VERSION THIMBLE_NUMBER " (" THIMBLE_COMMIT ")"

#endif
