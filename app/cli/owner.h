/*
 * owner.h - working as the user whose data it is.
 */
#ifndef HEARTH_CLI_OWNER_H
#define HEARTH_CLI_OWNER_H

#include "hearth/base.h"

/* When the program runs as root: takes on, for good, the user and group that own `path`, or the
 * nearest directory above it that exists, so that what it writes there is theirs. Nothing happens
 * for another user, or when root owns it. Errors: IO. */
HEARTH_MUST_CHECK enum hearth_error owner_become(const char *path, struct error_record *error);

#endif
