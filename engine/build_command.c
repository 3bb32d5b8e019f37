/* Command lines of the tools that a build calls. */
#include "engine/build_command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/cleanup.h"

void eng_command_release(struct eng_command *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->word[i]);
}

void eng_command_add(struct eng_command *c, char *word)
{
	if (c->n < ENG_COMMAND_WORDS)
		c->word[c->n++] = word;
	else
		free(word);
}

void eng_command_add_all(struct eng_command *c, const char *const *words)
{
	for (; *words; words++)
		eng_command_add(c, rs_xstrdup(*words));
}

void eng_command_tool(struct eng_command *c, const char *var, const char *fallback)
{
	const char *v = getenv(var);
	rs_auto_free char *copy = rs_xstrdup(v && *v ? v : fallback);
	char *save = NULL;

	for (char *w = strtok_r(copy, " \t", &save); w && c->n < ENG_COMMAND_WORDS / 2;
	     w = strtok_r(NULL, " \t", &save))
		eng_command_add(c, rs_xstrdup(w));
	if (c->n == 0)
		eng_command_add(c, rs_xstrdup(fallback));
}

char *eng_find_program(const char *program)
{
	const char *path = getenv("PATH");

	if (strchr(program, '/'))
		return access(program, X_OK) == 0 ? rs_xstrdup(program) : NULL;
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		rs_auto_free char *full = rs_xasprintf("%.*s/%s", (int)n, p, program);
		struct stat st;

		if (access(full, X_OK) == 0 && stat(full, &st) == 0 && S_ISREG(st.st_mode))
			return rs_steal(full);
		p += n + (p[n] == ':');
	}
	return NULL;
}

bool eng_have_tool(const char *var, const char *fallback)
{
	__attribute__((cleanup(eng_command_release))) struct eng_command c = { .n = 0 };

	eng_command_tool(&c, var, fallback);
	rs_auto_free char *path = eng_find_program(c.word[0]);

	return path != NULL;
}

int eng_command_run(struct eng_command *c)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	c->word[c->n] = NULL;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			execvp(c->word[0], c->word);
		_exit(127);
	}
	if (pid < 0)
		return 127;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
