/*
 * ops.h - what the operator's routes share.
 */
#ifndef HEARTH_OPS_H
#define HEARTH_OPS_H

#include "hearth/module.h"

struct ops {
    struct services services;
    struct view metrics_token; /* empty = none */
};

handler_fn ops_healthz, ops_readyz, ops_metrics;

#endif
