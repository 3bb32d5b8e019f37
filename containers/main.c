/* ringside-oci: the OCI runtime as a program of its own. It is linked without the lab, for it is started
 * once and again for every container. */
#include "containers/ctr.h"

int main(int argc, char **argv)
{
	return ctr_oci_main(argc, argv);
}
