<?php
// A thumbnail from PHP. Usage: php resize_client.php IN OUT [HOST [PORT]]
// `doNormal` would do for the thumbnail alone; a task also gets the text that says why there is none.
[, $in, $out] = $argv;
$client = new GearmanClient();
$client->addServer($argv[3] ?? "127.0.0.1", (int) ($argv[4] ?? 4730));
$client->setTimeout(20000);  // milliseconds
$thumb = null;
$why = null;
$client->setCompleteCallback(function (GearmanTask $task) use (&$thumb) { $thumb = $task->data(); });
$client->setExceptionCallback(function (GearmanTask $task) use (&$why) { $why = $task->data(); });
$client->addTask("resize", file_get_contents($in));
@$client->runTasks();
if ($thumb === null) {
    fwrite(STDERR, "no thumbnail: " . ($why ?? ($client->error() ?: "the job failed")) . "\n");
    exit(1);
}
file_put_contents($out, $thumb);
