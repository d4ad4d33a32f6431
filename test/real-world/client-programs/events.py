# Prints each event as JSON, as a program does that lets its library decode the text: events.py LIBRARY URL
# The rules are those of httpx-sse and openai-python: a blank line dispatches if there is anything to dispatch, and an
# id or a reconnection time is something.
import json
import sys

library, url = sys.argv[1:]
headers = {"Accept": "text/event-stream"}


def lines_of_requests():
    import requests

    with requests.get(url, headers=headers, stream=True) as response:
        yield from response.iter_lines(decode_unicode=True)


def lines_of_httpx():
    import httpx

    with httpx.stream("GET", url, headers=headers, timeout=None) as response:
        for line in response.iter_lines():
            yield line.rstrip("\n")


event, data, last_event_id, retry = "", [], "", None
for line in lines_of_requests() if library == "requests" else lines_of_httpx():
    if not line:
        if event or data or last_event_id or retry is not None:
            print(json.dumps([event or "message", "\n".join(data)]), flush=True)
        event, data, retry = "", [], None
    elif not line.startswith(":"):
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            event = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_event_id = value
        elif field == "retry":
            retry = int(value)
