<?php
// Tasks of all priorities at once, and what their callbacks hear. Usage: php tasks.php HOST PORT
[, $host, $port] = $argv;
$client = new GearmanClient();
$client->addServer($host, (int) $port);
$client->setTimeout(20000);  // milliseconds
$client->setCreatedCallback(function (GearmanTask $task) { print "created {$task->unique()}\n"; });
$client->setCompleteCallback(function (GearmanTask $task, string $context) { print "$context: {$task->data()}\n"; });
$client->addTaskLow("echo", "low", "first", "u1");
$client->addTaskHigh("echo", "high", "second", "u2");
$client->addTask("echo", "normal", "third", "u3");
$client->addTaskBackground("echo", "background", "fourth", "u4");
print $client->runTasks() ? "all done\n" : $client->error() . "\n";
