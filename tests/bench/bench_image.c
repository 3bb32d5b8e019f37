/* Image builds: a tree of 5,000 files and 100 MB, and one of 50,000 small files; cold, unchanged, with one
 * file changed, and unpacked; against buildah, umoci and tar with gzip where they are installed, and
 * against the least that can be done: hashing and compressing the same bytes, which are in memory
 * already, with the same library on the same processors. Peak memory of the process tree's largest.
 */
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "engine/base/file.h"

#define CHUNK (1u << 20)

static char dir[64];
static const char *ringside;

/* ---- trees ---- */

static uint64_t seed = 88172645463325252ull;
static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Text of a vocabulary: compresses about as programs and their data do. */
static void fill(char *p, size_t n)
{
	static char words[4096][12];
	size_t i = 0;

	if (!words[0][0])
		for (unsigned w = 0; w < 4096; w++)
			for (unsigned k = 0; k < 3 + w % 8; k++)
				words[w][k] = (char)('a' + random_number() % 26);
	while (i < n) {
		const char *w = words[random_number() % (random_number() & 1 ? 4096 : 64)];

		if (random_number() % 4 == 0)
			p[i++] = (char)random_number();
		for (; *w && i < n; w++)
			p[i++] = *w;
		if (i < n)
			p[i++] = ' ';
	}
}

static void make_tree(const char *root, unsigned files, unsigned size)
{
	static char buf[1 << 18];

	mkdir(root, 0755);
	for (unsigned i = 0; i < files; i++) {
		char path[200];
		size_t n = size / 4 + random_number() % (size + size / 2);

		snprintf(path, sizeof(path), "%s/d%03u", root, i / 100);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "%s/d%03u/file%05u", root, i / 100, i);
		fill(buf, n);
		int fd = open(path, O_WRONLY | O_CREAT, 0644);
		if (fd < 0 || write(fd, buf, n) != (ssize_t)n)
			exit(1);
		close(fd);
	}
}

/* ---- running ---- */

/* Processor time of `u`, seconds: on a machine that others use it says more than the clock. */
static double processor(const struct rusage *u)
{
	return (double)u->ru_utime.tv_sec + (double)u->ru_stime.tv_sec +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}
static double last_cpu;      /* of the last run */

/* Runs a shell command; ms, and the peak memory in MB. Negative: it failed. */
static double run(const char *command, double *mb)
{
	uint64_t begin = bench_now();
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &u) != pid || status != 0)
		return -1;
	last_cpu = processor(&u);
	if (mb && (double)u.ru_maxrss / 1024 > *mb)
		*mb = (double)u.ru_maxrss / 1024;
	return (double)(bench_now() - begin) / 1e6;
}

static double runf(double *mb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static double runf(double *mb, const char *fmt, ...)
{
	char command[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return run(command, mb);
}

static bool have(const char *program)
{
	return runf(NULL, "command -v %s", program) >= 0;
}

/* ---- the least ---- */

struct least {
	const unsigned char *p;
	size_t n;
	_Atomic size_t next;
	_Atomic size_t out;
};

static void hash(const void *p, size_t n)
{
	unsigned char sum[32];

	EVP_Digest(p, n, sum, NULL, EVP_sha256(), NULL);
}

static void *squeeze(void *arg)
{
	struct least *l = arg;
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t bound = libdeflate_gzip_compress_bound(c, CHUNK), at;
	unsigned char *out = malloc(bound);

	while ((at = atomic_fetch_add(&l->next, CHUNK)) < l->n) {
		size_t n = libdeflate_gzip_compress(c, l->p + at, l->n - at < CHUNK ? l->n - at : CHUNK, out, bound);

		hash(out, n);
		atomic_fetch_add(&l->out, n);
	}
	free(out);
	libdeflate_free_compressor(c);
	return NULL;
}

/* The bytes of the layer, hashed, compressed, and hashed again, by as many threads as there are processors. */
static double least(struct least *l)
{
	uint64_t begin = bench_now();
	struct rusage before, after;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t t[64];
	unsigned n = 0;

	getrusage(RUSAGE_SELF, &before);
	l->next = l->out = 0;
	while (n + 1 < (unsigned)cpus && n < 64 && pthread_create(&t[n], NULL, squeeze, l) == 0)
		n++;
	hash(l->p, l->n);
	squeeze(l);
	while (n > 0)
		pthread_join(t[--n], NULL);
	getrusage(RUSAGE_SELF, &after);
	last_cpu = processor(&after) - processor(&before);
	return (double)(bench_now() - begin) / 1e6;
}

/* The one uncompressed layer of the tree, mapped. */
static bool layer_bytes(struct least *l, const char *tree)
{
	char command[500], path[300] = "";
	struct stat st;
	FILE *f;
	int fd;

	snprintf(command, sizeof(command), "%s image import -c none --store plain %s t:1 >/dev/null 2>&1 && ls -S plain/blobs/sha256/* | head -n 1", ringside, tree);
	f = popen(command, "r");
	if (!f || !fgets(path, sizeof(path), f) || pclose(f) != 0)
		return false;
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	l->n = (size_t)st.st_size;
	l->p = mmap(NULL, l->n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	return l->p != MAP_FAILED;
}

/* ---- tables ---- */

static void sample(struct bench_row *row, double ms)
{
	if (ms >= 0)
		bench_add(row, ms);
}

static void print(struct bench_row *row, struct bench_row *base, double mb)
{
	if (!row->n)
		return;
	bench_print(row, base);
	if (mb > 0)
		printf("  %-44s %10.1f MB\n", "", mb);
}

/* Everything for one tree. Returns whether the budgets are kept. */
static int table(const char *what, const char *tree, unsigned rounds, bool budgets)
{
	static struct bench_row floor, ours, zstd, buildah, umoci, tar, again, one, unpack, umoci_un, tar_un;
	double mb = 0, mb_zstd = 0, mb_buildah = 0, mb_umoci = 0, mb_un = 0, mb_umoci_un = 0;
	bool b = have("buildah") && geteuid() == 0, u = have("umoci") && geteuid() == 0;
	static struct bench_row cpu_floor, cpu_ours;
	struct least l = { 0 };
	char changed[300];
	int ok = 1;

	cpu_floor.n = cpu_ours.n = 0;
	floor = (struct bench_row){ .name = "hash, compress, hash in memory" };
	ours = (struct bench_row){ .name = "ringside image build, cold, gzip" };
	zstd = (struct bench_row){ .name = "ringside image build, cold, zstd" };
	buildah = (struct bench_row){ .name = "buildah bud and push to a layout, cold" };
	umoci = (struct bench_row){ .name = "umoci insert, cold" };
	tar = (struct bench_row){ .name = "tar | gzip -6 | sha256sum" };
	again = (struct bench_row){ .name = "ringside image build, unchanged" };
	one = (struct bench_row){ .name = "ringside image build, one file changed" };
	unpack = (struct bench_row){ .name = "ringside image unpack" };
	umoci_un = (struct bench_row){ .name = "umoci unpack" };
	tar_un = (struct bench_row){ .name = "tar -xzf" };
	if (!layer_bytes(&l, tree)) {
		printf("  no layer of %s could be made\n", tree);
		return 0;
	}
	runf(NULL, "mkdir -p ctx && mv %s ctx/tree && printf 'FROM scratch\\nCOPY tree /tree\\n' >ctx/Dockerfile", tree);
	for (unsigned r = 0; r < rounds; r++) {
		sample(&floor, least(&l));
		bench_add(&cpu_floor, last_cpu);
		run("rm -rf store", NULL);
		sample(&ours, runf(&mb, "exec %s image build -q --store store -t t:1 ctx", ringside));
		bench_add(&cpu_ours, last_cpu);
		run("rm -rf store-zstd", NULL);
		sample(&zstd, runf(&mb_zstd, "exec %s image build -q -c zstd --store store-zstd -t t:1 ctx", ringside));
		if (r == 0) /* files younger than the record are read again once */
			runf(NULL, "%s image build -q --store store -t t:1 ctx", ringside);
		sample(&again, runf(NULL, "exec %s image build -q --store store -t t:1 ctx", ringside));
		run("rm -rf out", NULL);
		sample(&unpack, runf(&mb_un, "exec %s image unpack --store store t:1 out", ringside));
		sample(&tar, run("tar -C ctx -cf - tree | gzip -6 | sha256sum", NULL));
		if (u) {
			run("rm -rf um && umoci init --layout um && umoci new --image um:x", NULL);
			sample(&umoci, run("exec umoci insert --image um:x ctx/tree /tree", &mb_umoci));
			run("rm -rf umout", NULL);
			sample(&umoci_un, run("exec umoci unpack --image um:x umout", &mb_umoci_un));
		}
		if (r == 0) {
			run("tar -C ctx -czf t.tgz tree", NULL);
			snprintf(changed, sizeof(changed), "echo x >>ctx/tree/d000/file00000");
		}
		run("rm -rf tarout && mkdir tarout", NULL);
		sample(&tar_un, run("tar -C tarout -xzf t.tgz", NULL));
		run(changed, NULL);
		sample(&one, runf(NULL, "exec %s image build -q --store store -t t:1 ctx", ringside));
		if (b && r < 2) {
			run("rm -rf br brr bo", NULL);
			sample(&buildah, run("B='buildah --root br --runroot brr --storage-driver vfs'; echo '{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}' >p.json && "
					     "$B bud --signature-policy p.json --isolation chroot -t t ctx && $B push --signature-policy p.json t oci:bo:t", &mb_buildah));
		}
	}
	bench_head(what, "ms");
	print(&floor, NULL, 0);
	print(&ours, &floor, mb);
	print(&zstd, &floor, mb_zstd);
	print(&tar, &floor, 0);
	print(&umoci, &floor, mb_umoci);
	print(&buildah, &floor, mb_buildah);
	print(&again, NULL, 0);
	print(&one, NULL, 0);
	print(&unpack, NULL, mb_un);
	print(&tar_un, &unpack, 0);
	print(&umoci_un, &unpack, mb_umoci_un);
	printf("  processor time of the cold build: %.2f s, of hashing and compressing alone: %.2f s, %.2fx\n",
	       bench_median(&cpu_ours), bench_median(&cpu_floor), bench_median(&cpu_ours) / bench_median(&cpu_floor));
	printf("  compressed: %.1f MB of %.1f MB in memory;", (double)l.out / 1e6, (double)l.n / 1e6);
	fflush(stdout);
	if (system("ls -lS store/blobs/sha256 | awk 'NR == 2 { printf \" ringside %.1f\", $5 / 1e6 }'; [ ! -d um ] || ls -lS um/blobs/sha256 | awk 'NR == 2 { printf \", umoci %.1f\", $5 / 1e6 }'; [ ! -d bo ] || ls -lS bo/blobs/sha256 | awk 'NR == 2 { printf \", buildah %.1f\", $5 / 1e6 }'; echo") != 0)
		printf("\n");
	if (budgets) {
		ok &= bench_budget("cold build over hashing and compressing", bench_median(&ours) / bench_median(&floor), 1.2, "x");
		if (buildah.n)
			ok &= bench_budget("cold build over buildah", bench_median(&ours) / bench_median(&buildah), 0.25, "x");
		ok &= bench_budget("unchanged rebuild", bench_median(&again), 50, "ms");
	}
	ok &= bench_budget("peak memory", mb > mb_un ? mb : mb_un, 64, "MB");
	munmap((void *)l.p, l.n);
	run("rm -rf ctx store store-zstd plain um umout out tarout t.tgz br brr bo", NULL);
	return ok;
}

int main(void)
{
	char absolute[4096];
	int ok = 1;

	if (!getenv("RINGSIDE") || !realpath(getenv("RINGSIDE"), absolute)) {
		printf("bench_image: RINGSIDE names no program\n");
		return 77;
	}
	ringside = absolute;
	strcpy(dir, "/tmp/ringside-bench-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	setenv("HOME", dir, 1);
	make_tree("five", 5000, 20000);
	ok &= table("Image of 5,000 files, 100 MB", "five", 3, true);
	make_tree("fifty", 50000, 1000);
	ok &= table("Image of 50,000 small files", "fifty", 1, false);
	if (chdir("/") == 0)
		rs_rmtree(dir, NULL);
	return !ok;
}
