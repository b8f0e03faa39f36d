<?php
// For PHP's own server: burns CPU time, and says how much by its own reading.

function cpu_seconds(): float
{
    $used = getrusage();
    return $used["ru_utime.tv_sec"] + $used["ru_stime.tv_sec"]
        + ($used["ru_utime.tv_usec"] + $used["ru_stime.tv_usec"]) / 1e6;
}

$before = cpu_seconds();
if (parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH) !== "/burn") {
    http_response_code(404);
    exit();
}
$sum = 0.0;
while (cpu_seconds() - $before < ($_GET["ms"] ?? 10) / 1e3) {
    for ($n = 0; $n < 10000; $n++) {
        $sum += sqrt($n);
    }
}
header("X-Pid: " . getmypid());
header("X-Cpu-Seconds: " . (cpu_seconds() - $before));
echo $sum;
