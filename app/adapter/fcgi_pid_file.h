/*
 * fcgi_pid_file.h - the file that says who the master is.
 */
#ifndef HEARTH_FCGI_PID_FILE_H
#define HEARTH_FCGI_PID_FILE_H

#include "hearth/base.h"

/* Writes this process's id, in one step, over whatever stood there; "" = nothing is written.
 * Errors: those of error_from_errno. */
HEARTH_MUST_CHECK enum hearth_error fcgi_pid_file_write(const char *path,
                                                        struct error_record *error);
/* Removes it, when it still names this process. */
void fcgi_pid_file_remove(const char *path);

#endif
