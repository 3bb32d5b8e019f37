/* Files: every way to make, name, look at, lock and copy them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int files;
static int walk(const char *path, const struct stat *s, int type, struct FTW *w)
{
	(void)s;
	files += type == FTW_F ? 1 : type == FTW_DP ? 100 : 10000;
	(void)w;
	return remove(path);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	fputs(text, f);
	fclose(f);
}

static int compare(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

int main(void)
{
	char dir[] = "/tmp/ringside-fs-XXXXXX", buf[256] = "", event[1024];
	struct dirent **list;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
	struct iovec v[3] = { { "abc", 3 }, { "defg", 4 }, { "h", 1 } }, w[2];
	struct timespec times[2] = { { 1000000000, 5 }, { 1234567890, 987654321 } };
	struct statvfs vfs;
	struct statx sx;
	struct stat s;
	glob_t g;
	int fd, fd2, p[2], n, r;
	loff_t off = 2;
	off_t from = 1;

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	umask(022);
	fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
	printf("writev %d", (int)writev(fd, v, 3));
	fstat(fd, &s);
	printf(" size %d mode %o links %d\n", (int)s.st_size, s.st_mode & 07777, (int)s.st_nlink);
	printf("again %d\n", open("a", O_RDWR | O_CREAT | O_EXCL, 0666) < 0 && errno == EEXIST);
	printf("flags %d", fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	printf(" %d\n", fcntl(fd, F_SETFL, O_APPEND));
	printf("append %d\n", (fcntl(fd, F_GETFL) & O_APPEND) != 0);
	printf("directory %d %d\n", open("a", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR, open(".", O_RDONLY | O_DIRECTORY) >= 0);
	symlink("a", "link");
	printf("no follow %d\n", open("link", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
	n = (int)readlink("link", buf, sizeof(buf));
	printf("link %d %.1s\n", n, buf);
	lstat("link", &s);
	printf("lstat %d\n", S_ISLNK(s.st_mode) != 0);
	link("a", "hard");
	stat("hard", &s);
	printf("links %d\n", (int)s.st_nlink);
	w[0] = (struct iovec){ buf, 2 };
	w[1] = (struct iovec){ buf + 10, 3 };
	r = (int)preadv(fd, w, 2, 1);
	printf("preadv %d %.2s %.3s\n", r, buf, buf + 10);
	printf("pwrite %d", (int)pwrite(fd, "XY", 2, 0)); /* appends: O_APPEND (pwrite(2), BUGS) */
	fcntl(fd, F_SETFL, 0);
	printf(" %d", (int)pwrite(fd, "XY", 2, 0));
	printf(" %d", (int)lseek(fd, 0, SEEK_END));
	r = (int)pread(fd, buf, 100, 0);
	printf(" %.*s\n", r, buf);
	printf("truncate %d", ftruncate(fd, 5));
	printf(" %d", truncate("a", 4));
	printf(" %d\n", (int)lseek(fd, 0, SEEK_END));
	futimens(fd, times);
	fstat(fd, &s);
	printf("times %ld %ld %ld\n", (long)s.st_atime, (long)s.st_mtime, (long)s.st_mtim.tv_nsec);
	r = statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &sx);
	printf("statx %d %d %o\n", r, (int)sx.stx_size, sx.stx_mode & 0777);
	printf("chmod %d", fchmod(fd, 0400));
	printf(" %d\n", chmod("a", 0640));
	stat("a", &s);
	printf("mode %o\n", s.st_mode & 0777);
	printf("access %d %d %d\n", access("a", F_OK), access("nothing", F_OK), faccessat(AT_FDCWD, "link", R_OK, AT_SYMLINK_NOFOLLOW));

	/* copies */
	put("source", "0123456789");
	fd = open("source", O_RDONLY);
	fd2 = open("copy", O_RDWR | O_CREAT, 0600);
	r = (int)sendfile(fd2, fd, &from, 4);
	printf("sendfile %d at %d\n", r, (int)from);
	r = (int)copy_file_range(fd, &off, fd2, NULL, 5, 0);
	if (r < 0) /* not on every file system */
		r = (int)pwrite(fd2, "23456", 5, 4), off = 7, lseek(fd2, 9, SEEK_SET);
	printf("copied %d at %d\n", r, (int)off);
	if (pipe(p) < 0)
		return 1;
	off = 0;
	printf("splice %d", (int)splice(fd, &off, p[1], NULL, 6, 0));
	printf(" tee %d", (int)read(p[0], buf, 6));
	lseek(fd2, 0, SEEK_SET);
	r = (int)read(fd2, buf + 6, 100);
	printf(" %.*s\n", r + 6, buf);
	v[0].iov_base = "spliced";
	v[0].iov_len = 7;
	printf("vmsplice %d", (int)vmsplice(p[1], v, 1, 0));
	r = (int)read(p[0], buf, sizeof(buf));
	printf(" %.*s\n", r, buf);

	/* locks */
	printf("flock %d", flock(fd2, LOCK_EX | LOCK_NB));
	r = open("copy", O_RDWR);
	printf(" %d\n", flock(r, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	printf("lock %d", fcntl(fd2, F_SETLK, &lock));
	fflush(stdout);
	if (fork() == 0) {
		r = open("copy", O_RDWR);
		fcntl(r, F_GETLK, &lock);
		printf(" %d %d %d %d", lock.l_type == F_WRLCK, (int)lock.l_start, (int)lock.l_len, lock.l_pid == getppid());
		printf(" %d\n", fcntl(r, F_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_len = 0 }) < 0);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);

	/* directories */
	mkdir("d", 0755);
	mkdir("d/e", 0700);
	put("d/e/f1", "x");
	put("d/e/f2", "xx");
	rename("d/e/f2", "d/f3");
	printf("rename %d\n", renameat2(AT_FDCWD, "d/f3", AT_FDCWD, "d/e/f1", RENAME_NOREPLACE) < 0 && errno == EEXIST);
	n = scandir(".", &list, NULL, compare);
	for (int i = 0; i < n; i++)
		printf("%s%c", list[i]->d_name, i == n - 1 ? '\n' : ' ');
	glob("*o*", 0, NULL, &g);
	printf("%d %s\n", (int)g.gl_pathc, g.gl_pathv[0]);
	printf("rmdir %d\n", rmdir("d") < 0 && errno == ENOTEMPTY);
	printf("realpath %d\n", strcmp(realpath("d/../d/e/.", buf) + strlen(dir), "/d/e"));
	r = statvfs(".", &vfs);
	printf("statvfs %d %d\n", r, vfs.f_namemax > 50);
	r = setxattr("a", "user.note", "value", 5, 0);
	if (r < 0 && errno == ENOTSUP)
		puts("xattr 0 5 value");
	else
		printf("xattr %d %d %.5s\n", r, (int)getxattr("a", "user.note", buf, sizeof(buf)), buf);

	/* telling of changes */
	r = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(r, "d", IN_CREATE | IN_DELETE);
	put("d/new", "");
	unlink("d/new");
	n = (int)read(r, event, sizeof(event));
	for (char *e = event; n > 0 && e < event + n; e += sizeof(struct inotify_event) + ((struct inotify_event *)e)->len)
		printf("event %x %s\n", ((struct inotify_event *)e)->mask, ((struct inotify_event *)e)->name);
	chdir("/");
	nftw(dir, walk, 10, FTW_DEPTH | FTW_PHYS);
	printf("removed %d %d\n", files, access(dir, F_OK));
	return 0;
}
