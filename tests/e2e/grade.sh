#!/bin/bash
# A lesson from start to grade, as a student and an autograder use it: the starter fails and is told
# what was expected and found, the solution earns full points, and the formats agree (all five of them
# for the first lesson that this machine can run; text and JSON for the others).
set -eu
. tests/e2e/which-lessons
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME=$dir XDG_STATE_HOME=$dir/state XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/cache
fail() { echo "$*"; exit 1; }

skipped= every="text json junit gradescope tap"
formats=$every
[ -z "${RINGSIDE_TEST_AGAIN:-}" ] || formats="text json"
for folder in $(lessons kvm); do
	lesson=${folder#labs/}
	lesson=${lesson%%-*}
	rc=0
	"$RINGSIDE" grade $lesson >"$dir/text" 2>"$dir/err" || rc=$?
	if [ $rc = 77 ]; then
		cat "$dir/err"
		skipped="$skipped $lesson"
		continue
	fi
	[ $rc = 1 ] || fail "grading the starter of $lesson ends with $rc, not 1"
	grep -q 'expected:' "$dir/text" && grep -q 'found:' "$dir/text" || fail "no expected and found: $(cat "$dir/text")"

	"$RINGSIDE" start $lesson --dir "$dir/w$lesson" >/dev/null
	cp "$folder"/solution/* "$dir/w$lesson/"
	for format in $formats; do
		"$RINGSIDE" grade $lesson --workspace "$dir/w$lesson" --format $format --output "$dir/$format" ||
			fail "the solution of $lesson does not pass ($format)"
	done
	points=$(awk '$2 == "of" && $4 == "points" { p = $1 " " $3 } END { print p }' "$dir/text")
	set -- $points
	[ "$1" = "$2" ] || fail "not full points: $points"
	perl -MJSON::PP -e '
		my ($dir, $points, $max) = @ARGV;
		local $/;
		open my $f, "<", "$dir/json" or die; my $j = decode_json(<$f>);
		my ($l) = @{$j->{lessons}};
		die "json says $l->{points} of $l->{max}\n" unless $l->{points} == $points && $l->{max} == $max;
	' "$dir" $points
	if [ "$formats" = "$every" ]; then
		xmllint --noout "$dir/junit" || fail "JUnit is not XML"
		perl -MJSON::PP -e '
			my ($dir, $points, $max) = @ARGV;
			local $/;
			open my $f, "<", "$dir/gradescope" or die; my $g = decode_json(<$f>);
			my ($s, $m) = (0, 0);
			for (@{$g->{tests}}) { $s += $_->{score}; $m += $_->{max_score} }
			die "gradescope says $s of $m\n" unless $s == $points && $m == $max;
			open $f, "<", "$dir/junit" or die; my $x = <$f>;
			my $cases = () = $x =~ /<testcase\b/g;
			die "junit has $cases cases, not " . @{$g->{tests}} . "\n" unless $cases == @{$g->{tests}};
			die "junit has a failure\n" if $x =~ /<failure/;
		' "$dir" $points
	fi
	echo "lesson $lesson: starter refused, solution $1 of $2 points in $formats"
	formats="text json"
done
[ -z "$skipped" ] || { echo "skip: these lessons cannot be run here, most for want of KVM (see above):$skipped"; exit 77; }
