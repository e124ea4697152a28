/*
 * main_fcgi.c - hearth-fcgi, the worker pool with the modules of app/modules.c.
 */
#include "app/adapter/fcgi_main.h"

int main(int argc, char **argv)
{
    return fcgi_main(argc, argv, hearth_modules);
}
