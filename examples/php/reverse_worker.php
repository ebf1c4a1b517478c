<?php
// The talk's hello world: a worker in PHP. Usage: php reverse_worker.php [HOST [PORT]]
$worker = new GearmanWorker();
$worker->addServer($argv[1] ?? "127.0.0.1", (int) ($argv[2] ?? 4730));
$worker->addFunction("reverse", fn(GearmanJob $job) => strrev($job->workload()));
while ($worker->work());
