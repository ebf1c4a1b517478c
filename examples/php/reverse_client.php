<?php
// The talk's hello world: a client in PHP. Usage: php reverse_client.php [HOST [PORT]]
$client = new GearmanClient();
$client->addServer($argv[1] ?? "127.0.0.1", (int) ($argv[2] ?? 4730));
print $client->doNormal("reverse", "Hello World!") . "\n";
exit($client->returnCode() === GEARMAN_SUCCESS ? 0 : 1);
