/* Terminal bytes become orders of 64 bytes (control.h). */
#include "engine/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ESCAPE 0x1d /* Ctrl-] */

void eng_console_open(struct eng_console *c, int fd)
{
	struct termios t;

	*c = (struct eng_console){ .fd = fd };
	if (!isatty(fd) || tcgetattr(fd, &c->before) < 0)
		return;
	t = c->before;
	cfmakeraw(&t);
	t.c_oflag |= OPOST; /* our own messages still end their lines */
	c->raw = tcsetattr(fd, TCSANOW, &t) == 0;
}

void eng_console_close(struct eng_console *c)
{
	if (c->raw)
		tcsetattr(c->fd, TCSANOW, &c->before);
	c->raw = false;
	c->fd = -1;
}

int eng_console_fd(const struct eng_console *c)
{
	return c->fd;
}

bool eng_console_pass(struct eng_console *c, struct eng_experiment *x)
{
	struct rs_control msg = { .op = RS_CONTROL_INPUT };
	ssize_t n = read(c->fd, msg.data, sizeof(msg.data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) { /* the end of a file is not the end of the guest */
		if (!c->raw)
			c->fd = -1;
		return true;
	}
	if (c->raw && memchr(msg.data, ESCAPE, (size_t)n))
		return false;
	msg.a = (uint64_t)n;
	while (eng_experiment_order(x, &msg) == -EAGAIN && !eng_experiment_death(x))
		eng_experiment_pump(x, 256);
	return true;
}
