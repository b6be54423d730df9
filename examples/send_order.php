<?php
// Sends one message about an order, signed as Standard Webhooks says. PHP 8, no packages.
//
//   export URL=https://loyalty.example.com/v1/webhooks/orders/webshop
//   export SECRET=whsec_...
//   php send_order.php < message.json
//
// Prints the answer; the exit status is 0 where the message was taken. Tried with PHP 8.2; the
// tests run it where PHP is installed.
declare(strict_types=1);

const WAITS = [500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000]; // microseconds, between tries
const ANSWERS_WITHIN = 30; // seconds
const NOT_NOW = [409, 429]; // beside 5xx: the same message is good later

// One try: the status and the answer, or no status where there was no answer.
// Each try is signed anew, because a signature is good for five minutes.
function send(string $url, string $secret, string $messageId, string $body): array
{
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $timestamp = (string) time();
    $mark = base64_encode(hash_hmac('sha256', "$messageId.$timestamp.$body", $key, true));
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'content-type: application/json',
            "webhook-id: $messageId",
            "webhook-timestamp: $timestamp",
            "webhook-signature: v1,$mark",
        ],
        'content' => $body,
        'timeout' => ANSWERS_WITHIN,
        'ignore_errors' => true, // read the answers of 4xx and 5xx as well
        'follow_location' => 0,
    ]]);
    $stream = @fopen($url, 'r', false, $context);
    if ($stream === false) {
        return [null, error_get_last()['message'] ?? ''];
    }
    $answer = stream_get_contents($stream);
    $head = stream_get_meta_data($stream)['wrapper_data'][0] ?? '';
    fclose($stream);
    if ($answer === false || !preg_match('/^HTTP\S* (\d{3})/', $head, $found)) {
        return [null, $head];
    }
    return [(int) $found[1], $answer];
}

// Sends what is on standard input, again and again under the same id until it is answered.
$messageId = 'msg_' . bin2hex(random_bytes(16));
$body = stream_get_contents(STDIN);
foreach ([...WAITS, null] as $wait) {
    [$status, $answer] = send(getenv('URL'), getenv('SECRET'), $messageId, $body);
    $passes = $status === null || $status >= 500 || in_array($status, NOT_NOW, true);
    if (!$passes || $wait === null) {
        break;
    }
    usleep($wait);
}
echo $status ?? 'no answer', ' ', $answer, "\n";
exit($status !== null && $status >= 200 && $status < 300 ? 0 : 1);
