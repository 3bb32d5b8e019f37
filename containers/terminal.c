/* The container's terminal: made in its own /dev/pts, the other end handed out. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "containers/run.h"
#include "containers/wire.h"
#include "engine/base/cleanup.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int ctr_terminal_make(struct ctr_init *in)
{
	const struct ctr_process *p = in->p;
	rs_auto_close int other = ctr_resolve(in->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	struct winsize size = { .ws_row = (unsigned short)p->height.u, .ws_col = (unsigned short)p->width.u };
	struct ctr_msg m = { .say = CTR_SAY_TERMINAL };
	char name[40];
	int number, unlock = 0;

	if (other < 0) /* a host's /dev/pts that is bound has its ptmx beside it */
		other = ctr_resolve(in->root, "/dev/ptmx", O_RDWR | O_NOCTTY);
	if (other < 0)
		return CTR_FAIL(&in->t, in->err, -other, "a terminal needs a devpts mounted at /dev/pts");
	if (CTR_CALL(&in->t, "ioctl", ioctl(other, TIOCSPTLCK, &unlock), "TIOCSPTLCK, 0") < 0 ||
	    CTR_CALL(&in->t, "ioctl", ioctl(other, TIOCGPTN, &number), "TIOCGPTN") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the terminal cannot be made");
	/* by its other end, for a path could lead elsewhere (ioctl_tty(2)) */
	in->terminal = (int)CTR_CALL(&in->t, "ioctl", ioctl(other, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	if (in->terminal < 0)
		in->terminal = ctr_resolve(in->root, name, O_RDWR | O_NOCTTY);
	if (in->terminal < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the terminal cannot be opened");
	if (p->height.set && p->width.set && ioctl(other, TIOCSWINSZ, &size) < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the size of the terminal cannot be set");
	if (p->uid.set && p->uid.u && fchown(in->terminal, (uid_t)p->uid.u, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
		return CTR_FAIL(&in->t, in->err, errno, "the terminal cannot be given to the user");
	if (!in->exec && in->cfg->ns[CTR_NS_MOUNT]) {
		rs_auto_close int console = ctr_resolve_make(in->root, "/dev/console", false, 0600);
		rs_auto_close int pts = ctr_resolve(in->root, name, O_PATH);
		char self[40];
		int rc;

		snprintf(self, sizeof(self), "/proc/self/fd/%d", pts);
		rc = console < 0 ? console : pts < 0 ? pts : ctr_mount_at(&in->t, self, console, NULL, MS_BIND, NULL);
		if (rc)
			return CTR_FAIL(&in->t, in->err, -rc, "the terminal cannot be bound to /dev/console");
	}
	return ctr_wire_send(in->t.wire, &m, other) < 0 ?
		       CTR_FAIL(&in->t, in->err, ECANCELED, "the terminal could not be handed over") : 0;
}

int ctr_terminal_take(struct ctr_init *in)
{
	if (CTR_CALL(&in->t, "ioctl", ioctl(in->terminal, TIOCSCTTY, 0), "TIOCSCTTY") < 0)
		return CTR_FAIL(&in->t, in->err, errno, "the terminal cannot become the controlling one");
	for (int i = 0; i < 3; i++)
		if (dup2(in->terminal, i) < 0)
			return CTR_FAIL(&in->t, in->err, errno, "the terminal cannot become standard input and output");
	return 0;
}

int ctr_terminal_send(const char *path, int fd, struct rs_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	rs_auto_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char name[64] = "/dev/ptmx";
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { { 0 } };
	struct iovec iov = { name, strlen(name) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	if (strlen(path) >= sizeof(a.sun_path))
		return rs_err_set(err, -ENAMETOOLONG, "the console socket %s has too long a name", path);
	strcpy(a.sun_path, path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return rs_err_errno(err, errno, "the console socket %s cannot be reached", path);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(m), &fd, sizeof(int));
	if (sendmsg(sock, &h, MSG_NOSIGNAL) < 0)
		return rs_err_errno(err, errno, "the console socket %s cannot be reached", path);
	return 0;
}
