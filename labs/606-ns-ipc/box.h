/* What lesson 606's programs have in common: a queue of messages that is found by its number,
 * sysvipc(7), msgget(2).
 */
#ifndef BOX_H
#define BOX_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

#define NUMBER 42 /* every copy of the program uses the same one */

struct message {
	long type;
	char text[32];
};

/* Makes the queue if there is none, and puts a message in. */
static inline void post(const char *text)
{
	struct message m = { .type = 1 };
	int q = msgget(NUMBER, IPC_CREAT | 0600);

	must(q, "msgget");
	snprintf(m.text, sizeof(m.text), "%s", text);
	must(msgsnd(q, &m, sizeof(m.text), IPC_NOWAIT), "msgsnd");
}

/* Takes the oldest message out, and says what it is. */
static inline void fetch(const char *who)
{
	struct message m;
	int q = msgget(NUMBER, 0);

	if (q < 0 || msgrcv(q, &m, sizeof(m.text), 0, IPC_NOWAIT) < 0)
		printf("%s finds nothing: %s\n", who, strerror(errno));
	else
		printf("%s fetches: %s\n", who, m.text);
	fflush(stdout);
}

#endif
