/* The child shall be called "inner". The parent shall keep its name. */
#include "name.h"

int main(void)
{
	pid_t child = fork();

	must(child, "fork");
	if (child == 0) {
		must(sethostname("inner", 5), "sethostname");
		say_name("child");
		return 0;
	}
	waitpid(child, NULL, 0);
	say_name("parent");
	return 0;
}
