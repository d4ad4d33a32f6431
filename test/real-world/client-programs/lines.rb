# Writes a response to stdout as it comes: lines.rb URL LAST-EVENT-ID
require 'net/http'

url, last_event_id = ARGV
$stdout.sync = true
uri = URI(url)
# What is compressed, it decodes and then shows late.
headers = { 'Accept' => 'text/event-stream', 'Accept-Encoding' => 'identity' }
headers['Last-Event-ID'] = last_event_id unless last_event_id.empty?

Net::HTTP.start(uri.host, uri.port, read_timeout: nil, max_retries: 0) do |http|
  http.request_get(uri.request_uri, headers) do |response|
    response.read_body { |chunk| print chunk }
  end
end
