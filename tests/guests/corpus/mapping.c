/* mmap and its family: places, sharing, files, guards, moving, advice. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096u

static void say(const char *what, long v) { printf("%s %ld\n", what, v); }

int main(void)
{
	char name[] = "/tmp/ringside-map-XXXXXX", buf[32];
	unsigned char vec[4];
	char *a, *b, *c;
	int fd = mkstemp(name), p[2];
	volatile int *shared;

	unlink(name);
	a = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(a, "first");
	b = mmap(a + 2 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	say("fixed", b == a + 2 * P);
	b = mmap(a + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	say("no replace", b == MAP_FAILED && errno == EEXIST);
	munmap(a + 4 * P, P);
	b = mmap(a + 4 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("hint", b == a + 4 * P);
	say("unaligned", mmap(a + 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	say("no length", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	say("bad fd", mmap(NULL, P, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);

	/* files: private copies, shared ones, what others see */
	if (ftruncate(fd, 3 * P) < 0 || pwrite(fd, "hello, world", 12, P) != 12)
		return 1;
	b = mmap(NULL, 3 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	c = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, P);
	printf("%.12s %.12s\n", b + P, c);
	memcpy(c, "JELLO", 5);
	printf("%.12s %.12s\n", b + P, c);
	memcpy(b + P + 7, "WORLD", 5);
	say("msync", msync(b, 3 * P, MS_SYNC));
	if (pread(fd, buf, 12, P) != 12)
		return 1;
	printf("%.12s\n", buf);

	/* moving keeps the sharing */
	b = mremap(b, 3 * P, 2 * P, 0);
	b = mremap(b, 2 * P, 3 * P, MREMAP_MAYMOVE);
	memcpy(b + P, "MOVED", 5);
	if (pread(fd, buf, 12, P) != 12)
		return 1;
	printf("%.12s\n", buf);
	memset(a, 'z', P);
	c = mremap(a, P, 40 * P, MREMAP_MAYMOVE);
	printf("%c%c %d\n", c[0], c[P - 1], c[39 * P]);
	a = mmap(NULL, 4 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	c = mremap(c, 2 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, a);
	printf("%d %c%c\n", c == a, c[0], c[P - 1]);

	/* between processes */
	shared = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fork() == 0) {
		shared[0] = 4711;
		b[0] = 'k';
		_exit(0);
	}
	wait(NULL);
	printf("%d %c\n", shared[0], b[0]);

	/* rights */
	say("mprotect hole", mprotect(a + 100 * P, 0, PROT_READ));
	mprotect(a, P, PROT_NONE);
	if (pipe(p) < 0)
		return 1;
	say("write from PROT_NONE", write(p[1], a, 4) < 0 && errno == EFAULT);
	mprotect(a, P, PROT_READ);
	say("write from PROT_READ", write(p[1], a, 4));
	say("read into PROT_READ", read(p[0], a, 4) < 0 && errno == EFAULT);

	/* advice */
	a = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(a, 1, 4 * P);
	say("dontneed", madvise(a + P, P, MADV_DONTNEED));
	printf("%d %d %d\n", a[0], a[P], a[2 * P]);
	say("mincore", mincore(a, 4 * P, vec));
	printf("%d%d%d\n", vec[0] & 1, vec[2] & 1, vec[3] & 1);
	say("willneed", madvise(a, 4 * P, MADV_WILLNEED));
	say("bad advice", madvise(a, P, 12345) < 0 && errno == EINVAL);
	say("mlock", mlock(a, P));
	say("munlock", munlock(a, P));
	fd = memfd_create("thing", MFD_CLOEXEC);
	if (ftruncate(fd, P) < 0)
		return 1;
	b = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	c = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
	strcpy(b, "seen twice");
	puts(c);
	c = sbrk(0);
	say("sbrk", sbrk(10000) == c && (char *)sbrk(0) == c + 10000 && brk(c) == 0 && sbrk(0) == c);
	return 0;
}
