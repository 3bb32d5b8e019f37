/* What lesson 602's programs have in common. */
#ifndef NAME_H
#define NAME_H

#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* Prints who is called what. */
static inline void say_name(const char *who)
{
	char name[65] = "";

	gethostname(name, sizeof(name) - 1);
	printf("%s: %s\n", who, name);
	fflush(stdout);
}

#endif
