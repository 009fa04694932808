//! rmcp's view of the host: one handler for each session or stateless request, bound to the principal that opened it.

use std::{
    borrow::Cow,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::http::request::Parts;
use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams,
        CompleteResult, Implementation, ListPromptsRequestMethod, ListPromptsResult,
        ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
        ServerConfig, SubscriptionFilter,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wardkeep_audit::{ClaimedClient, Origin};

use crate::{
    Caller, Entrance, Refused, Response, Retry, ToolCall, ToolView,
    caller::{self, Peer, trace_id},
    identity::Identity,
    line,
};

/// Newest last. 2025-11-25 and 2025-06-18 open with `initialize`, 2026-07-28 is stateless.
pub(crate) const REVISIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// How long a client may keep a list before it asks again (2026-07-28, `ttlMs`): grants change by a file that an admin signs.
const LIST_TTL_MS: u64 = 5_000;

/// Where a client names the approval that it comes back with, in a call's `_meta`.
const APPROVAL: &str = "dev.wardkeep/approval";

/// Subscriptions of one connection. A client needs one.
const SUBSCRIPTIONS: usize = 8;

#[derive(Clone)]
pub(crate) struct Handler {
    entrance: Entrance,
    /// Who opened the connection or the session.
    identity: Identity,
    transport: &'static str,
    connection: Arc<Connection>,
}

/// What all clones of a handler share; gone with the last of them.
struct Connection {
    /// Over HTTP each request of revision 2026-07-28 stands alone.
    id: Option<caller::Connection>,
    /// Its session has ended: what runs in it is cancelled.
    session_ended: CancellationToken,
    ended: CancellationToken,
    /// A client says once that it is ready; whoever says so again gets no second watch.
    initialized: AtomicBool,
    subscriptions: Semaphore,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl Handler {
    pub(crate) fn new(
        entrance: Entrance,
        identity: Identity,
        transport: &'static str,
        session_ended: CancellationToken,
    ) -> Self {
        let connection = Connection {
            id: (transport != "http").then(caller::Connection::new),
            session_ended,
            ended: CancellationToken::new(),
            initialized: AtomicBool::new(false),
            subscriptions: Semaphore::new(SUBSCRIPTIONS),
        };
        Self { entrance, identity, transport, connection: Arc::new(connection) }
    }

    fn caller(&self, cx: &RequestContext<RoleServer>) -> Caller {
        let parts = cx.extensions.get::<Parts>();
        // over HTTP each request brings its own, also in a session that was opened long ago
        let identity = parts.and_then(|parts| parts.extensions.get()).unwrap_or(&self.identity);
        let origin = Origin {
            transport: self.transport,
            peer: parts.and_then(|parts| parts.extensions.get::<Peer>()).map(Peer::to_string),
            client: cx.client_info().map(|client| ClaimedClient { name: client.name, version: client.version }),
            protocol: cx.protocol_version().map(|version| version.as_str().to_owned()),
            request_id: Some(cx.id.to_string()),
            trace_id: cx.meta.get_traceparent().and_then(trace_id),
        };
        let (principal, key) = (identity.principal.clone(), identity.credential.key());
        Caller { principal, origin, connection: self.connection.id, key }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
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
        let CallToolRequestParams { name, arguments, input_responses, request_state, .. } = request;
        let retry = match (request_state, input_responses) {
            (None, None) => None,
            _ if !line::is_stateless(&cx) => {
                return Err(Refused::invalid_params("this revision has no input responses and no request state", None));
            }
            (state, answers) => Some(Retry { state, answers: answers.unwrap_or_default() }),
        };
        let approval = cx.meta.0.get(APPROVAL).and_then(Value::as_str).map(str::to_owned);
        let call = ToolCall { tool: name.into_owned(), arguments: arguments.unwrap_or_default(), retry, approval };
        let (line, client) = line::of(&cx);
        let mut calling = pin!(client.hear(self.entrance.call(self.caller(&cx), call, line, cx.ct.clone())));
        let response = tokio::select! {
            response = &mut calling => response,
            () = self.connection.session_ended.cancelled() => {
                cx.ct.cancel();
                calling.await
            }
        };
        Ok(match response? {
            Response::Complete(answer) => answer.into(),
            Response::InputRequired(questions) => questions.into(),
        })
    }

    // without this, rmcp skips its check of `Mcp-Param-*` headers against the schema
    fn get_tool(&self, name: &str) -> Option<ToolView> {
        self.entrance.tool(&self.identity.principal, name)
    }

    /// Revision 2026-07-28: a client that wants to know asks for it.
    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        // rmcp takes away what was not asked for and what is not declared
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, cx: SubscriptionContext) -> Result<(), Refused> {
        let Ok(_place) = self.connection.subscriptions.try_acquire() else {
            return Err(Refused::invalid_request("too many subscriptions on one connection; end some", None));
        };
        let mut lists = self.entrance.lists(self.identity.credential.clone());
        let telling = async {
            if cx.accepted().tools_list_changed == Some(true) {
                while lists.changed().await && cx.sink().notify_tool_list_changed().await.is_ok() {}
            } else {
                cx.cancelled().await;
            }
        };
        tokio::select! {
            () = telling => {}
            () = cx.cancelled() => {}
        }
        Ok(())
    }

    /// Older revisions: every client that has said that it is ready is told.
    async fn on_initialized(&self, cx: NotificationContext<RoleServer>) {
        if self.connection.initialized.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut lists = self.entrance.lists(self.identity.credential.clone());
        let ended = self.connection.ended.clone();
        // does not hold the connection, whose end is to end it
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            while lists.changed().await && cx.peer.notify_tool_list_changed().await.is_ok() {}
        }));
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
