# A worker whose jobs wait for a line in a pipe, longer than their second. Usage: perl slow_worker.pl HOST PORT PIPE
use strict;
use warnings;
use Gearman::Worker;

my ($host, $port, $pipe) = @ARGV;
my $worker = Gearman::Worker->new(job_servers => ["$host:$port"]);
$worker->register_function(slow => 1, sub {
    open my $gate, "<", $pipe or die "$pipe: $!";
    my $line = <$gate>;
    return $line;
});
$worker->register_function(dies => sub { die "boom\n" });
$worker->work;
