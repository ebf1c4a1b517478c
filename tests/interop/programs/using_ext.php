<?php
// PHP's gearman extension. Usage: php using_ext.php worker HOST PORT | client HOST PORT CHECK...
[, $role, $host, $port] = $argv;

function work(GearmanWorker $worker): void
{
    $functions = [
        "reverse" => fn(GearmanJob $job) => strrev($job->workload()),
        "data" => function (GearmanJob $job) {
            $job->sendData("a");
            $job->sendData("b");
            return "c";
        },
        "status" => function (GearmanJob $job) { $job->sendStatus(50, 100); },
        "warning" => function (GearmanJob $job) { $job->sendWarning("careful"); },
        "fail" => function (GearmanJob $job) { $job->sendFail(); },
        "exception" => function (GearmanJob $job) { $job->sendException("boom"); },
    ];
    foreach ($functions as $name => $call) {
        $worker->addFunction($name, $call);
    }
    while (true) {
        @$worker->work();  // a failed job makes it return false, which is no reason to stop
    }
}

// What a task's callbacks hear, each under its name. A callback must not return a number: that would be a gearman_return_t.
function heard(GearmanClient $client, string $function, string $what): string
{
    $heard = ["data" => "", "status" => "", "warning" => "", "fail" => "", "exception" => ""];
    $data = function (GearmanTask $task) use (&$heard) { $heard["data"] .= $task->data(); };
    $client->setDataCallback($data);
    $client->setCompleteCallback($data);
    $client->setStatusCallback(function (GearmanTask $task) use (&$heard) {
        $heard["status"] = $task->taskNumerator() . "/" . $task->taskDenominator();
    });
    $client->setWarningCallback(function (GearmanTask $task) use (&$heard) { $heard["warning"] = $task->data(); });
    $client->setFailCallback(function () use (&$heard) { $heard["fail"] = "failed"; });
    $client->setExceptionCallback(function (GearmanTask $task) use (&$heard) { $heard["exception"] = $task->data(); });
    $client->addTask($function, "-");
    @$client->runTasks();
    return $heard[$what];
}

$checks = [
    "reverse" => fn($client) => $client->doNormal("reverse", "Hello World!"),
    "high" => fn($client) => $client->doHigh("reverse", "high"),
    "low" => fn($client) => $client->doLow("reverse", "low"),
    "background" => function ($client) {
        [$known, $running] = $client->jobStatus($client->doBackground("nobody", "-"));
        return $known && !$running ? "queued" : "lost";
    },
    "ping" => fn($client) => $client->ping("pong") ? "pong" : "no answer",
];
foreach (["data", "status", "warning", "fail", "exception"] as $function) {
    $checks[$function] = fn($client) => heard($client, $function, $function);
}

if ($role === "worker") {
    $worker = new GearmanWorker();
    $worker->addServer($host, (int) $port);
    work($worker);
}
foreach (array_slice($argv, 4) as $check) {
    $client = new GearmanClient();
    $client->addServer($host, (int) $port);
    $client->setTimeout(20000);  // milliseconds
    print "$check: " . $checks[$check]($client) . "\n";
}
