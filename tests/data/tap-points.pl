# tap-points.pl FILE: the test points of a TAP document as perl's own TAP::Parser reads them, a line
# each: "ok|not-ok|skip DESCRIPTION". Dies when the document is not well-formed.
use strict;
use warnings;
use TAP::Parser;

open my $file, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $text = do { local $/; <$file> };
# Test::Harness before 3.48 knows versions up to 13; what follows is the same for flat documents
$text =~ s/^TAP version 14$/TAP version 13/m if $TAP::Parser::VERSION < 3.48;
my $parser = TAP::Parser->new({ tap => $text });
my $points = 0;
while (my $result = $parser->next) {
	die 'unknown line: ' . $result->as_string . "\n" if $result->is_unknown;
	next unless $result->is_test;
	$points++;
	(my $name = $result->description) =~ s/^- //;
	print $result->has_skip ? 'skip' : $result->is_ok ? 'ok' : 'not-ok', " $name\n";
}
die join(', ', $parser->parse_errors), "\n" if $parser->parse_errors;
die "the plan says ", $parser->tests_planned, ", there are $points\n"
	if $parser->tests_planned != $points;
