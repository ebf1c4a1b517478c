# The talk's hello world: a client in Perl. Usage: perl reverse_client.pl [HOST [PORT]]
use strict;
use warnings;
use Gearman::Client;

my ($host, $port) = @ARGV;
my $client = Gearman::Client->new(job_servers => [join ":", $host // "127.0.0.1", $port // 4730]);
my $result = $client->do_task(reverse => "Hello World!") // die "the job failed\n";
print "$$result\n";
