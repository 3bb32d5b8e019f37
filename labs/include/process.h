/* process.h - what the C programs of the lessons about containers share.
 *
 *      #include "process.h"
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A call that failed ends the program, with its name and the kernel's reason. */
static inline void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

/* One side of a pipe waits for the other. */
static inline void wait_for(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		exit(1);
}

static inline void tell(int fd)
{
	must((int)write(fd, "x", 1), "write");
}

#endif
