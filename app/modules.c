/*
 * modules.c - the one place that names the handler modules. The order is that of /readyz and of the
 * annotated configuration; it does not decide which route wins.
 */
#include "hearth/module.h"

extern const struct module ops_module;
extern const struct module site_module;
extern const struct module sensor_module;

const struct module *const hearth_modules[] = {&ops_module, &site_module, &sensor_module, NULL};
