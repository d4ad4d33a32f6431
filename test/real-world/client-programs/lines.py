# Writes a response to stdout as it comes: lines.py LIBRARY URL LAST-EVENT-ID
import asyncio
import sys

library, url, last_event_id = sys.argv[1:]
headers = {"Accept": "text/event-stream"}
if last_event_id:
    headers["Last-Event-ID"] = last_event_id


def show(line):
    sys.stdout.buffer.write(line.rstrip(b"\n") + b"\n")
    sys.stdout.buffer.flush()


def read_with_requests():
    import requests

    with requests.get(url, headers=headers, stream=True) as response:
        for line in response.iter_lines():
            show(line)


def read_with_httpx():
    import httpx

    with httpx.stream("GET", url, headers=headers, timeout=None) as response:
        for line in response.iter_lines():
            show(line.encode())


async def read_with_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        async with session.get(url, headers=headers) as response:
            async for line in response.content:
                show(line)


if library == "requests":
    read_with_requests()
elif library == "httpx":
    read_with_httpx()
else:
    asyncio.run(read_with_aiohttp())
