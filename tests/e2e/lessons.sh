#!/bin/bash
# Every lesson of labs/ is proved by lint, on every engine that this machine has; in the second round, on KVM.
set -u
. tests/e2e/which-lessons
if [ -n "${RINGSIDE_TEST_AGAIN:-}" ]; then set -- --engine kvm $(lessons); else set -- labs; fi
"$RINGSIDE" lint "$@"
rc=$?
[ $rc = 77 ] && echo "skip: some lessons could not be run here: they need KVM with exact ring crossings" && exit 77
exit $rc
