/* Threads: mutexes, condition variables, atomics, thread-local data, cancellation of none. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 6
#define ROUNDS 20000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, next;
static atomic_long sum;
static atomic_int small;
static _Atomic unsigned char byte;
static __thread long own;

static void *work(void *arg)
{
	long me = (long)arg;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		atomic_fetch_add(&sum, me);
		atomic_fetch_xor(&small, (int)me);
		atomic_fetch_add(&byte, 1);
		own += me;
	}
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&lock);
	while (next != me)
		pthread_cond_wait(&turn, &lock);
	printf("%ld: %ld\n", me, own);
	next++;
	pthread_cond_broadcast(&turn);
	pthread_mutex_unlock(&lock);
	return (void *)(me * me);
}

int main(void)
{
	pthread_t t[THREADS];
	long squares = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++) {
		void *r;

		pthread_join(t[i], &r);
		squares += (long)r;
	}
	printf("%ld %ld %d %d %ld\n", counter, atomic_load(&sum), atomic_load(&small), byte, squares);
	for (int i = 0; i < 200; i++) {
		pthread_barrier_init(&barrier, NULL, 1);
		next = 3;
		if (i == 0 && (pthread_create(&t[0], NULL, work, (void *)3L) || pthread_join(t[0], NULL)))
			return 2;
	}
	exit(5);
}
