/* What lesson 607's programs have in common. */
#ifndef USER_H
#define USER_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* Writes one line to /proc/PID/FILE. */
static inline void put(pid_t pid, const char *file, const char *line)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY);
	must(fd, path);
	must((int)write(fd, line, strlen(line)), path);
	close(fd);
}

#endif
