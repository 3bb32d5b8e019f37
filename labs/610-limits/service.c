/* A service that needs 24 MiB, and a neighbour that leaks: it takes more and more, up to 160 MiB. */
#include "work.h"

int main(void)
{
	pid_t leak, service;
	int status;

	service = fork();
	if (service == 0) {
		use(24);
		say("the service is ready and uses %ld MiB", 24);
		usleep(1200000);
		say("the service answered request %ld", 1);
		return 0;
	}
	usleep(300000);
	leak = fork();
	if (leak == 0) {
		for (long n = 8; n <= 160; n += 8) {
			use(8);
			usleep(15000);
		}
		say("the leak took %ld MiB, and nobody stopped it", 160);
		return 0;
	}
	waitpid(leak, &status, 0);
	report("the leak", status);
	waitpid(service, &status, 0);
	report("the service", status);
	return 0;
}
