"""One visit of the Python MCP client: lists the tools, calls one, hears progress, cancels a call, answers a question, confirms a write; and another
without elicitation, whose write waits. Prints what it got as one JSON object.

usage: python_client.py REVISION http URL KEY
       python_client.py REVISION stdio COMMAND [ARG ...]

REVISION: of those that open with `initialize`, this client asks for the newest it knows and has no way to be told another, so that one
constant is set here; the rest is its own.
"""

import asyncio
import json
import sys

import anyio
import httpx2
import mcp.client.session as session
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult


async def answer(_context, params):
    if params.message.startswith("Wardkeep asks: may writes_keep run?"):
        return ElicitResult(action="accept", content={"confirm": "yes"})
    return ElicitResult(action="accept", content={"flavour": f"plum: {params.message}"})


NOTE = {"root": "tree", "path": "note.txt", "text": "kept"}


async def ask_in_vain(transport, mode):
    async with Client(transport, mode=mode) as client:
        waits = await client.call_tool("writes_keep", NOTE)
        return {"isError": bool(waits.is_error), "approval": (waits.meta or {}).get("dev.wardkeep/approval")}


async def visit(transport, mode):
    async with Client(transport, mode=mode, elicitation_callback=answer) as client:
        tools = await client.list_tools()
        echoed = await client.call_tool("fixture_echo", {"text": "grüße"})

        progress = []

        async def hear(done, _total, _message):
            progress.append(done)

        reported = await client.call_tool("reports_report", {"times": 3, "steps": 10_000_000}, progress_callback=hear)

        # once the endless call says so, it has begun
        with anyio.CancelScope() as scope:

            async def enough(_done, _total, _message):
                scope.cancel()

            await client.call_tool("waits_for_ever", {}, progress_callback=enough)
        asked = await client.call_tool("asks_ask", {"about": "cake"})
        kept = await client.call_tool("writes_keep", NOTE)
        return {
            "revision": client.session.protocol_version,
            "tools": [tool.name for tool in tools.tools],
            "text": [block.text for block in echoed.content if block.type == "text"],
            "isError": bool(echoed.is_error),
            "reported": reported.structured_content,
            "progress": progress,
            "cancelled": scope.cancelled_caught,
            "asked": asked.structured_content,
            "kept": not kept.is_error,
        }


async def main():
    revision, kind, *rest = sys.argv[1:]
    mode = revision
    if revision != "2026-07-28":
        session.LATEST_HANDSHAKE_VERSION = revision
        mode = "legacy"
    if kind == "stdio":
        command, *args = rest
        start = StdioServerParameters(command=command, args=args)
        got = await visit(stdio_client(start), mode)
        got["waits"] = await ask_in_vain(stdio_client(start), mode)
    else:
        url, key = rest
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
            got = await visit(streamable_http_client(url, http_client=http), mode)
            got["waits"] = await ask_in_vain(streamable_http_client(url, http_client=http), mode)
    print(json.dumps(got))


asyncio.run(main())
