/*
 * keeper_sealing.h - the keeper's second thread: seals what is finished, and when somebody asks.
 */
#ifndef HEARTH_SENSOR_KEEPER_SEALING_H
#define HEARTH_SENSOR_KEEPER_SEALING_H

#include "handlers/sensor/keeper/keeper_requests.h"
#include "handlers/sensor/sealed/sealer.h"

struct keeper_sealing;

/* Starts the thread; everything must outlive it. NULL: NO_MEMORY, IO (no thread). */
struct keeper_sealing *keeper_sealing_start(struct live_store *store, sealer_summary_fn *summarize,
                                            void *context, struct keeper_requests *requests,
                                            struct error_record *error);
/* There may be something to do: a file is finished, or somebody asked. Any thread. */
void keeper_sealing_wake(struct keeper_sealing *sealing);
/* Ends it after the file that it is at, and frees it. NULL is allowed. */
void keeper_sealing_stop(struct keeper_sealing *sealing);

#endif
