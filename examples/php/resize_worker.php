<?php
// The talk's resize worker, by ImageMagick. Usage: php resize_worker.php [HOST [PORT]]
$worker = new GearmanWorker();
$worker->addServer($argv[1] ?? "127.0.0.1", (int) ($argv[2] ?? 4730));
$worker->addFunction("resize", function (GearmanJob $job) {
    $thumb = new Imagick();
    $thumb->readImageBlob($job->workload());
    $thumb->scaleImage(200, 150, true);  // at most; its shape stays
    return $thumb->getImageBlob();
});
while ($worker->work());
