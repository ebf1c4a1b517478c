# The talk's hello world: a worker in Perl. Usage: perl reverse_worker.pl [HOST [PORT]]
use strict;
use warnings;
use Gearman::Worker;

my ($host, $port) = @ARGV;
my $worker = Gearman::Worker->new(job_servers => [join ":", $host // "127.0.0.1", $port // 4730]);
$worker->register_function(reverse => sub { scalar reverse $_[0]->arg });
$worker->work;
