/*
 * config_validate.h - validators for rows, the program's own and any module's. All are
 * config_validate_fn: they say in `why` what is wrong, without repeating the value.
 */
#ifndef HEARTH_CONFIG_VALIDATE_H
#define HEARTH_CONFIG_VALIDATE_H

#include "hearth/config.h"

/* A path from the root: a daemon's working directory is nobody's business. */
bool config_validate_path(struct view value, char *why, size_t why_size);
/* Such a path, at which there is not a directory. */
bool config_validate_file(struct view value, char *why, size_t why_size);
/* Such a path, at which there is a directory or nothing. */
bool config_validate_directory(struct view value, char *why, size_t why_size);
/* Are these two paths from the root one directory, by their names or, when there is one, because it
 * is? For the checks of modules. */
bool config_same_directory(const char *one, const char *other);
/* "unix:/PATH" (at most 107 bytes, what a socket address holds) or "tcp:ADDRESS:PORT" with a
 * loopback address: FastCGI has no authentication of its own. */
bool config_validate_listen(struct view value, char *why, size_t why_size);
/* Octal permission bits: "0660". */
bool config_validate_mode(struct view value, char *why, size_t why_size);
/* A name of a group as it may stand in /etc/group. */
bool config_validate_group(struct view value, char *why, size_t why_size);
/* An item of trust_list_new: an address, a CIDR range, "unix" or "loopback". */
bool config_validate_trusted(struct view value, char *why, size_t why_size);
/* "*" or an origin (RFC 6454): scheme, host, port, nothing behind. */
bool config_validate_origin(struct view value, char *why, size_t why_size);
/* A header's name. */
bool config_validate_header_name(struct view value, char *why, size_t why_size);

#endif
