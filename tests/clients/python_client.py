"""One visit of the Python MCP client: lists the tools, makes one call, prints what it got as one JSON object.

usage: python_client.py REVISION TOOL ARGUMENTS http URL KEY
       python_client.py REVISION TOOL ARGUMENTS stdio COMMAND [ARG ...]

REVISION: `legacy` for the older handshake, or a revision such as 2026-07-28.
"""

import asyncio
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


async def visit(transport, revision, tool, arguments):
    async with Client(transport, mode=revision) as client:
        tools = await client.list_tools()
        result = await client.call_tool(tool, arguments)
        return {
            "revision": client.session.protocol_version,
            "tools": [t.name for t in tools.tools],
            "text": [block.text for block in result.content if block.type == "text"],
            "structured": result.structured_content,
            "isError": bool(result.is_error),
        }


async def main():
    revision, tool, arguments, kind, *rest = sys.argv[1:]
    arguments = json.loads(arguments)
    if kind == "stdio":
        command, *args = rest
        print(json.dumps(await visit(stdio_client(StdioServerParameters(command=command, args=args)), revision, tool, arguments)))
    else:
        url, key = rest
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
            print(json.dumps(await visit(streamable_http_client(url, http_client=http), revision, tool, arguments)))


asyncio.run(main())
