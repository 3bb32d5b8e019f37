/* Two processes with a mount table each, and three places. */
#ifndef TABLES_H
#define TABLES_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* A small file system with a file in it. */
static inline void plug_in(const char *at)
{
	char path[64];
	FILE *f;

	must(mount("stick", at, "tmpfs", 0, "size=64k"), at);
	snprintf(path, sizeof(path), "%s/file", at);
	f = fopen(path, "w");
	if (f)
		fclose(f);
}

static inline void look(const char *who, const char *at)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", at);
	printf("%s sees what is mounted at %s: %s\n", who, at, access(path, F_OK) ? "no" : "yes");
	fflush(stdout);
}

static inline void folder(const char *path)
{
	must(mkdir(path, 0755), path);
}

#endif
