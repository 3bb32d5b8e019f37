/* What lesson 603's programs have in common. */
#ifndef COUNT_H
#define COUNT_H

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* How many processes of this /proc have ended and still wait for their parent to ask. */
static inline int zombies(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		char path[300], line[256] = "", *state;
		FILE *f;

		if (atoi(e->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = fopen(path, "r");
		if (f && fgets(line, sizeof(line), f) && (state = strrchr(line, ')')) && state[2] == 'Z')
			n++;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return n;
}

#define WORKERS 8

/* Starts the workers and ends at once: the workers become orphans. */
static inline void foreman(void)
{
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0) {
			usleep(20000 + 5000 * i);
			_exit(i);
		}
	_exit(0);
}

#endif
