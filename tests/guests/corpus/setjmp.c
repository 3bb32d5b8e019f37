/* setjmp and longjmp: through many frames, with saved masks, registers and floating point. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static jmp_buf top;
static sigjmp_buf stop;

static void down(int n, double x)
{
	volatile char room[64];

	room[n % 64] = (char)n;
	if (n == 0)
		longjmp(top, (int)x);
	down(n - 1, x + room[n % 64] * 0.5);
}

static int generator(jmp_buf back, volatile int *state)
{
	if (*state < 5)
		longjmp(back, ++*state);
	return -1;
}

int main(void)
{
	volatile double kept = 2.25;
	volatile int times = 0;
	volatile int state = 0;
	int r;
	jmp_buf loop;
	sigset_t set, now;

	r = setjmp(top);
	times++;
	printf("%d %d %.3f\n", r, times, kept);
	if (times < 6) {
		kept *= 1.5;
		down(times * 20, times);
	}
	r = setjmp(loop);
	printf("state %d\n", r);
	if (generator(loop, &state) < 0)
		puts("end");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigsetjmp(stop, 1) == 0) {
		sigprocmask(SIG_BLOCK, &set, NULL);
		siglongjmp(stop, 3);
	}
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("blocked %d\n", sigismember(&now, SIGUSR1));
	if (sigsetjmp(stop, 0) == 0) {
		sigprocmask(SIG_BLOCK, &set, NULL);
		siglongjmp(stop, 3);
	}
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("blocked %d\n", sigismember(&now, SIGUSR1));
	if (setjmp(loop) == 0)
		longjmp(loop, 0);
	else
		puts("0 becomes 1");
	return times;
}
