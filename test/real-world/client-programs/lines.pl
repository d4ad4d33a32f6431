# Writes a response to stdout as it comes: lines.pl URL LAST-EVENT-ID
use Mojo::Base -strict;
use Mojo::UserAgent;

my ($url, $last_event_id) = @ARGV;
my $headers = {Accept => 'text/event-stream'};
$headers->{'Last-Event-ID'} = $last_event_id if length $last_event_id;
$| = 1;

my $agent = Mojo::UserAgent->new(inactivity_timeout => 0, max_response_size => 0);
my $request = $agent->build_tx(GET => $url => $headers);
$request->res->content->unsubscribe('read')->on(read => sub { print $_[1] });
$agent->start($request);
