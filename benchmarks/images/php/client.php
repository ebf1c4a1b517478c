<?php
// A web front-end's part: TIMES thumbnails of FILE, one after the other. Usage: php client.php PORT FILE TIMES
$client = new GearmanClient();
$client->addServer('127.0.0.1', (int) $argv[1]);
$client->setTimeout(120000);
$picture = file_get_contents($argv[2]);
for ($made = 0; $made < (int) $argv[3]; $made++) {
    if (strlen($client->doNormal('resize', $picture)) < 1000) {
        fwrite(STDERR, "no thumbnail\n");
        exit(1);
    }
}
