/* POSIX threads: locks of every kind, conditions, barriers, keys, cancellation, many threads. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static atomic_int destroyed, onces, cleaned;
static sem_t sem;
static __thread int mine = 5;
static __thread struct { char room[300]; double d; } big = { "abc", 1.5 };
static long shared, spun, table[16], phase[8];

static void first(void) { onces++; }
static void destroy(void *p) { destroyed += *(int *)p; free(p); }
static void clean(void *p) { cleaned += *(int *)p; }

static void *worker(void *arg)
{
	long n = (long)arg;
	int *v = malloc(sizeof(*v));

	*v = (int)n;
	pthread_setspecific(key, v);
	pthread_once(&once, first);
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		shared++;
		pthread_mutex_unlock(&lock);
		pthread_spin_lock(&spin);
		spun++;
		pthread_spin_unlock(&spin);
		mine += i & 1;
	}
	for (int step = 0; step < 10; step++) {
		phase[n]++;
		pthread_barrier_wait(&barrier);
		for (int k = 0; k < 8; k++)
			if (phase[k] != step + 1)
				table[15]++;
		pthread_barrier_wait(&barrier);
	}
	big.d += (double)n;
	table[n] = mine + (long)(big.d * 2) + big.room[1];
	return (void *)(n * n);
}

static long queue[4], head, tail;
static void *producer(void *arg)
{
	for (long i = 1; i <= 500; i++) {
		pthread_mutex_lock(&lock);
		while (head - tail == 4)
			pthread_cond_wait(&cond, &lock);
		queue[head++ % 4] = i * (long)arg;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *reader(void *arg)
{
	long seen = 0;

	(void)arg;
	while (seen < 50) {
		pthread_rwlock_rdlock(&rw);
		seen = table[14];
		pthread_rwlock_unlock(&rw);
		sched_yield();
	}
	return (void *)seen;
}

static void *forever(void *arg)
{
	pthread_cleanup_push(clean, arg);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return NULL;
}

static void *tiny(void *arg)
{
	sem_post(&sem);
	return arg;
}

static void *owner(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

int main(void)
{
	pthread_t t[200];
	pthread_mutexattr_t attr;
	pthread_attr_t small;
	pthread_mutex_t robust, check;
	struct timespec until;
	long sum = 0;
	void *r;
	int three = 3;

	pthread_key_create(&key, destroy);
	pthread_spin_init(&spin, 0);
	pthread_barrier_init(&barrier, NULL, 8);
	sem_init(&sem, 0, 0);
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, worker, (void *)i);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("%ld %ld %ld: %d %d; %d %g\n", sum, shared, spun, destroyed, onces, mine, big.d);
	for (int i = 0; i < 16; i++)
		printf("%ld%c", table[i], i == 15 ? '\n' : ' ');

	pthread_create(&t[0], NULL, producer, (void *)1);
	pthread_create(&t[1], NULL, producer, (void *)1000);
	sum = 0;
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		while (head == tail)
			pthread_cond_wait(&cond, &lock);
		sum += queue[tail++ % 4];
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	printf("produced %ld\n", sum);

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, reader, NULL);
	for (int i = 0; i < 50; i++) {
		pthread_rwlock_wrlock(&rw);
		table[14]++;
		pthread_rwlock_unlock(&rw);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &r);
		printf("read %ld ", (long)r);
	}
	puts("");

	pthread_create(&t[0], NULL, forever, &three);
	usleep(2000);
	pthread_cancel(t[0]);
	pthread_join(t[0], &r);
	printf("canceled %d cleaned %d\n", r == PTHREAD_CANCELED, cleaned);

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 262144);
	for (int i = 0; i < 200; i++)
		if (pthread_create(&t[i], &small, tiny, (void *)(long)i))
			return 1;
	for (int i = 0; i < 200; i++)
		sem_wait(&sem);
	sum = 0;
	for (int i = 0; i < 200; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("two hundred %ld\n", sum);

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&t[0], NULL, owner, &robust);
	pthread_join(t[0], NULL);
	printf("dead owner %d", pthread_mutex_lock(&robust) == EOWNERDEAD);
	pthread_mutex_consistent(&robust);
	pthread_mutex_unlock(&robust);
	printf(" consistent %d\n", pthread_mutex_trylock(&robust));
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_STALLED);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&check, &attr);
	printf("%d", pthread_mutex_lock(&check));
	printf(" %d", pthread_mutex_lock(&check) == EDEADLK);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	printf(" %d\n", pthread_cond_timedwait(&cond, &lock, &until) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	return 5;
}
