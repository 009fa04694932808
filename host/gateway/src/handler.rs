//! rmcp's view of the host: one handler for each session or stateless request, bound to the principal that opened it.

use std::{borrow::Cow, pin::pin};

use axum::http::request::Parts;
use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams,
        CompleteResult, Implementation, ListPromptsRequestMethod, ListPromptsResult,
        ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
        ServerConfig,
    },
    service::RequestContext,
};
use wardkeep_audit::{ClaimedClient, Origin};
use wardkeep_model::Principal;

use crate::{
    Caller, CancellationToken, Entrance, Refused, ToolCall, ToolView,
    caller::{Peer, trace_id},
};

/// Newest last. 2025-11-25 and 2025-06-18 open with `initialize`, 2026-07-28 is stateless.
const REVISIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// How long a client may keep a list before it asks again (2026-07-28, `ttlMs`): grants change by a file that an admin signs.
const LIST_TTL_MS: u64 = 5_000;

#[derive(Clone)]
pub(crate) struct Handler {
    entrance: Entrance,
    principal: Principal,
    transport: &'static str,
    /// Its session has ended: what runs in it is cancelled.
    ended: CancellationToken,
}

impl Handler {
    pub(crate) const fn new(
        entrance: Entrance,
        principal: Principal,
        transport: &'static str,
        ended: CancellationToken,
    ) -> Self {
        Self { entrance, principal, transport, ended }
    }

    fn caller(&self, cx: &RequestContext<RoleServer>) -> Caller {
        let origin = Origin {
            transport: self.transport,
            peer: cx.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Peer>()).map(Peer::to_string),
            client: cx.client_info().map(|client| ClaimedClient { name: client.name, version: client.version }),
            protocol: cx.protocol_version().map(|version| version.as_str().to_owned()),
            request_id: Some(cx.id.to_string()),
            trace_id: cx.meta.get_traceparent().and_then(trace_id),
        };
        Caller { principal: self.principal.clone(), origin }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("wardkeep", env!("CARGO_PKG_VERSION")))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Owned(REVISIONS.to_vec())
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, Refused> {
        // lists are whole: no cursor was ever given out (MCP, Pagination, Error Handling)
        if page.is_some_and(|page| page.cursor.is_some()) {
            return Err(Refused::invalid_params("no such cursor", None));
        }
        let mut list = ListToolsResult::with_all_items(self.entrance.tools(&self.caller(&cx)).await?);
        // the list depends on the caller: nobody in between may keep it for another
        list.cache_scope = Some(CacheScope::Private);
        list.ttl_ms = Some(LIST_TTL_MS);
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Refused> {
        if request.request_state.is_some() || request.input_responses.is_some() {
            return Err(Refused::invalid_params("this host has asked nothing, so there is nothing to answer", None));
        }
        let call = ToolCall { tool: request.name.into_owned(), arguments: request.arguments.unwrap_or_default() };
        let mut calling = pin!(self.entrance.call(self.caller(&cx), call, cx.ct.clone()));
        let answer = tokio::select! {
            answer = &mut calling => answer,
            () = self.ended.cancelled() => {
                cx.ct.cancel();
                calling.await
            }
        };
        answer.map(CallToolResponse::from)
    }

    // without this, rmcp skips its check of `Mcp-Param-*` headers against the schema
    fn get_tool(&self, name: &str) -> Option<ToolView> {
        self.entrance.tool(&self.principal, name)
    }

    // rmcp answers these with empty lists by default, although this host declares tools only
    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, Refused> {
        Err(Refused::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, Refused> {
        Err(Refused::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, Refused> {
        Err(Refused::method_not_found::<ListResourceTemplatesRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, Refused> {
        Err(Refused::method_not_found::<CompleteRequestMethod>())
    }
}
