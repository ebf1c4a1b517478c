<?php
// A thumbnail from PHP. Usage: php resize_client.php IN OUT [HOST [PORT]]
[, $in, $out] = $argv;
$client = new GearmanClient();
$client->addServer($argv[3] ?? "127.0.0.1", (int) ($argv[4] ?? 4730));
$client->setTimeout(20000);  // milliseconds
$client->setExceptionCallback(fn(GearmanTask $task) => fwrite(STDERR, $task->data() . "\n"));
$thumb = @$client->doNormal("resize", file_get_contents($in));
if ($client->returnCode() !== GEARMAN_SUCCESS) {
    fwrite(STDERR, "no thumbnail: " . ($client->error() ?: "the job failed") . "\n");
    exit(1);
}
file_put_contents($out, $thumb);
