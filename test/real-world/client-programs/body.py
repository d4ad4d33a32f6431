# Writes the decoded body of a response to stdout as it comes: body.py LIBRARY URL
import asyncio
import sys

library, url = sys.argv[1:]
headers = {"Accept": "text/event-stream"}


def show(chunk):
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def read_with_requests():
    import requests

    with requests.get(url, headers=headers, stream=True) as response:
        for chunk in response.iter_content(None):
            show(chunk)


def read_with_httpx():
    import httpx

    with httpx.stream("GET", url, headers=headers, timeout=None) as response:
        for chunk in response.iter_bytes():
            show(chunk)


async def read_with_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        async with session.get(url, headers=headers) as response:
            async for chunk in response.content.iter_any():
                show(chunk)


if library == "requests":
    read_with_requests()
elif library == "httpx":
    read_with_httpx()
else:
    asyncio.run(read_with_aiohttp())
