/* Files, directories, mmap, time. Works in a folder of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	char dir[] = "/tmp/emu-files.XXXXXX", buf[64];
	struct iovec v[2] = { { "hello ", 6 }, { "world\n", 6 } };
	struct stat s;
	struct timespec a, b;
	struct pollfd p = { .events = POLLIN };
	int fd, entries = 0, pipes[2], r, q;
	char *m;
	DIR *d;

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
	printf("%zd\n", writev(fd, v, 2));
	r = fstat(fd, &s);
	printf("%d %ld %o %d\n", r, (long)s.st_size, s.st_mode, S_ISREG(s.st_mode));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[0] = 'J';
	r = (int)pread(fd, buf, 12, 0);
	printf("%d %.5s\n", r, buf);
	munmap(m, 4096);
	m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 3, 1 << 20);
	m = mremap(m, 1 << 20, 4 << 20, MREMAP_MAYMOVE);
	printf("%d %d\n", m[100], m[3 << 20]);
	r = mprotect(m, 4096, PROT_NONE);
	printf("%d %d\n", r, munmap(m + 8192, 4096));
	r = link("a", "b");
	q = symlink("a", "c");
	printf("%d %d %d\n", r, q, rename("b", "e"));
	printf("%zd %d %d\n", readlink("c", buf, sizeof(buf)), mkdir("sub", 0700), access("nosuch", F_OK));
	d = opendir(".");
	while (readdir(d))
		entries++;
	closedir(d);
	printf("%d %d\n", entries, open("a", O_DIRECTORY) < 0 && errno == ENOTDIR);
	r = (int)lseek(fd, 0, SEEK_END);
	q = ftruncate(fd, 3);
	printf("%d %d\n", r, q);
	r = stat("e", &s);
	printf("%d %ld\n", r, (long)s.st_size);
	if (pipe(pipes) < 0)
		return 2;
	p.fd = pipes[0];
	printf("%d", poll(&p, 1, 10));
	r = (int)write(pipes[1], "x", 1);
	printf(" %d %d\n", r, poll(&p, 1, -1));
	clock_gettime(CLOCK_MONOTONIC, &a);
	usleep(20000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%d\n", (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000);
	unlink("a");
	unlink("c");
	unlink("e");
	rmdir("sub");
	r = chdir("/");
	printf("%d %d\n", r, rmdir(dir));
	fflush(stdout);
	printf("%d\n", system("exit 3") >> 8);
	r = (int)syscall(9999);
	printf("%d %d\n", r, errno == ENOSYS);
	return 0;
}
