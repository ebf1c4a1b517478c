# Perl's Gearman::Client and Gearman::Worker. Usage: perl using_gearman.pl worker HOST PORT | client HOST PORT CHECK...
use strict;
use warnings;
use Gearman::Client;
use Gearman::Worker;
use Storable;

$| = 1;
my ($role, $host, $port, @checks) = @ARGV;

sub work {
    my $worker = Gearman::Worker->new;
    $worker->job_servers("$host:$port");
    $worker->register_function(reverse => sub { scalar reverse $_[0]->arg });
    $worker->register_function(data => sub {
        $worker->send_work_data($_[0], "a");
        $worker->send_work_data($_[0], "b");
        return "c";
    });
    $worker->register_function(status => sub { $_[0]->set_status(50, 100); return "" });
    $worker->register_function(warning => sub { $worker->send_work_warning($_[0], "careful"); return "" });
    $worker->register_function(fail => sub { return undef });
    $worker->register_function(exception => sub { die "boom\n" });
    $worker->work;
}

my $client = Gearman::Client->new(job_servers => ["$host:$port"], exceptions => 1);

# What one task's callback hears.
sub heard {
    my ($function, $callback) = @_;
    my $heard = "";
    my $tasks = $client->new_task_set;
    $tasks->add_task($function => "", { $callback => sub { $heard .= join "/", map { ref $_ ? $$_ : $_ } @_ } });
    $tasks->wait(timeout => 20);
    return $heard;
}

my %checks = (
    reverse    => sub { ${ $client->do_task(reverse => "Hello World!") } },
    high       => sub { ${ $client->do_task(reverse => "high", { priority => "high" }) } },
    low        => sub { ${ $client->do_task(reverse => "low", { priority => "low" }) } },
    background => sub {
        my $status = $client->get_status($client->dispatch_background(nobody => "", {}));
        return $status->known && !$status->running ? "queued" : "lost";
    },
    data => sub {
        my ($heard, $tasks) = ("", $client->new_task_set);
        my $more = sub { $heard .= ${ $_[0] } };
        $tasks->add_task(data => "", { on_data => $more, on_complete => $more });
        $tasks->wait(timeout => 20);
        return $heard;
    },
    status    => sub { heard(status => "on_status") },
    warning   => sub { heard(warning => "on_warning") },
    fail      => sub { heard(fail => "on_fail") ? "failed" : "completed" },
    exception => sub {
        my $text = heard(exception => "on_exception");
        return $text =~ /^\x05/ ? ${ Storable::thaw($text) } : $text;  # only Perl's workers freeze it
    },
);

work() if $role eq "worker";
print "$_: ", $checks{$_}->() =~ s/\s+$//r, "\n" for @checks;
