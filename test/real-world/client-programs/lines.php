<?php
// Writes a response to stdout as it comes: lines.php URL LAST-EVENT-ID
[, $url, $lastEventId] = $argv;
$headers = ['Accept: text/event-stream'];
if ($lastEventId !== '') {
    $headers[] = "Last-Event-ID: $lastEventId";
}
// With 1.1, PHP keeps what comes in chunks until it has a lot of it.
$context = stream_context_create(['http' => ['header' => $headers, 'protocol_version' => '1.0', 'timeout' => 3600]]);
$response = fopen($url, 'r', false, $context);
while (($line = fgets($response)) !== false) {
    echo $line;
}
