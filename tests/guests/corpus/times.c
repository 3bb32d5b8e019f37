/* Calendars and clocks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	static const long long some[] = { 0, 951782400, 1234567890, 2147483647, 4102444799, -86400 * 365LL, 68256000000 };
	struct timespec a, b, res;
	struct timeval tv;
	struct rusage ru;
	struct tms tms;
	char text[100];
	struct tm tm;
	time_t t;
	int n;

	setenv("TZ", "UTC0", 1);
	tzset();
	for (unsigned i = 0; i < sizeof(some) / sizeof(*some); i++) {
		t = (time_t)some[i];
		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %a %j %U %y", &tm);
		printf("%s %d\n", text, mktime(&tm) == t);
	}
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (int month = 0; month < 12; month += 3) {
		t = 1700000000 + month * 2629800L;
		localtime_r(&t, &tm);
		strftime(text, sizeof(text), "%c %Z %z", &tm);
		printf("%s %d\n", text, tm.tm_isdst);
	}
	memset(&tm, 0, sizeof(tm));
	printf("%s", strptime("12 Mar 2031 05:06:07", "%d %b %Y %T", &tm) ? asctime(&tm) : "no\n");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 1000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &b);
		if (b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec))
			puts("backwards");
		a = b;
	}
	usleep(3000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("slept %d\n", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 3000000);
	gettimeofday(&tv, NULL);
	printf("now %d %d\n", labs((long)(tv.tv_sec - time(NULL))) <= 1, tv.tv_sec > 1600000000);
	n = clock_getres(CLOCK_REALTIME, &res);
	printf("res %d %d\n", n, res.tv_sec == 0 && res.tv_nsec > 0);
	printf("bad clock %d\n", clock_gettime(12345, &a) < 0 && errno == EINVAL);
	printf("cpu %d %d", clock() >= 0, times(&tms) != -1);
	printf(" %d\n", getrusage(RUSAGE_SELF, &ru) == 0 && ru.ru_maxrss > 0);
	a.tv_sec = 0;
	a.tv_nsec = -1;
	printf("bad sleep %d\n", nanosleep(&a, NULL) < 0 && errno == EINVAL);
	clock_gettime(CLOCK_REALTIME, &a);
	printf("past %d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &a, NULL));
	return 0;
}
