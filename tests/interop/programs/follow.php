<?php
// Follows a background job from the queue to its end, a line for each change. Usage: php follow.php HOST PORT
[, $host, $port] = $argv;
$client = new GearmanClient();
$client->addServer($host, (int) $port);
$client->setTimeout(20000);  // milliseconds
$handle = $client->doBackground("long", "-");
$last = null;
do {
    [$known, $running, $numerator, $denominator] = $client->jobStatus($handle);
    $state = $known ? ($running ? "running $numerator/$denominator" : "queued") : "gone";
    print $state === $last ? "" : "$state\n";
    $last = $state;
    usleep(10000);
} while ($known);
