# A thumbnail from Perl. Usage: perl resize_client.pl IN OUT [HOST [PORT]]
use strict;
use warnings;
use Gearman::Client;

my ($in, $out, $host, $port) = @ARGV;
my $client = Gearman::Client->new(
    job_servers => [join ":", $host // "127.0.0.1", $port // 4730],
    exceptions  => 1,
);
open my $source, "<:raw", $in or die "$in: $!\n";
my $picture = do { local $/; <$source> };
my $thumb = $client->do_task(resize => \$picture, {
    timeout      => 20,  # seconds
    on_exception => sub { warn "$_[0]\n" },
}) // die "no thumbnail\n";
open my $target, ">:raw", $out or die "$out: $!\n";
print {$target} $$thumb;
close $target or die "$out: $!\n";
