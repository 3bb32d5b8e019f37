/* The jail of lesson 601: a folder with a shell in it, and outside of it something worth seeing. */
#ifndef JAIL_H
#define JAIL_H

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"

/* /jail with a few folders of its own, and a letter that lies outside. */
static inline void build_jail(void)
{
	FILE *letter = fopen("/outside.txt", "w");

	if (letter) {
		fputs("The sun is shining.\n", letter);
		fclose(letter);
	}
	mkdir("/jail", 0755);
	mkdir("/jail/bin", 0755);
	mkdir("/jail/home", 0755);
}

/* What this process sees when it looks at /. */
static inline void look_around(const char *who)
{
	char line[128];
	DIR *d = opendir("/");
	struct dirent *e;
	FILE *letter;

	printf("%s sees in /:", who);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			printf(" %s", e->d_name);
	if (d)
		closedir(d);
	letter = fopen("/outside.txt", "r");
	if (letter && fgets(line, sizeof(line), letter))
		printf("\n%s reads: %s", who, line);
	else
		printf("\n%s finds no letter\n", who);
	if (letter)
		fclose(letter);
	fflush(stdout);
}

/* Every way out of a chroot that root has: a second one, while standing outside of it. */
static inline void try_to_escape(void)
{
	mkdir("/hole", 0755);
	if (chroot("/hole") < 0)
		return;
	for (int i = 0; i < 8; i++)
		if (chdir("..") < 0)
			return;
	if (chroot(".") < 0)
		return;
}

#endif
