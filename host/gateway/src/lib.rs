//! The MCP endpoint: the path of one call, identity, listing, output, errors.
