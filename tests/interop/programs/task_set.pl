# Uniques, retries and a task set of Perl's client. Usage: perl task_set.pl HOST PORT
use strict;
use warnings;
use Gearman::Client;

$| = 1;
my ($host, $port) = @ARGV;
my $client = Gearman::Client->new(job_servers => ["$host:$port"]);
my $tasks = $client->new_task_set;
for my $unique (qw(same same other)) {
    $tasks->add_task(count => "", { uniq => $unique, on_complete => sub { print "$unique: ${ $_[0] }\n" } });
}
$tasks->add_task(third_time_lucky => "", {
    retry_count => 2,
    on_retry    => sub { print "retry $_[0]\n" },
    on_fail     => sub { print "given up\n" },
    on_complete => sub { print "at last: ${ $_[0] }\n" },
});
$tasks->wait(timeout => 20);
