//! A small MCP client over HTTP: what `wardkeep demo` speaks to its host with.

use rmcp::{
    RoleClient,
    model::{CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, ProtocolVersion},
    service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService, ServiceError},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Map, Value};

use crate::{META, ToolView};

/// A connected client.
pub struct Client(RunningService<RoleClient, ClientConfig>);

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// All text blocks, one after the other.
    pub text: String,
    /// The structured answer.
    pub structured: Option<Value>,
    /// The tool, or the host for it, says that the call failed.
    pub is_error: bool,
    /// What to look the call up by in the audit log.
    pub correlation: Option<String>,
}

/// Why a request had no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host could not be reached, or does not know the key.
    #[error("can't connect: {0}")]
    Connect(Box<ClientInitializeError>),
    /// A JSON-RPC error.
    #[error("{message} (code {code})")]
    Refused {
        /// JSON-RPC error code.
        code: i32,
        /// The host's words.
        message: String,
    },
    /// The connection failed.
    #[error("{0}")]
    Transport(Box<ServiceError>),
}

impl From<ServiceError> for ClientError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Refused { code: error.code.0, message: error.message.into_owned() },
            other => Self::Transport(Box::new(other)),
        }
    }
}

impl Client {
    /// Connects to an endpoint such as `http://127.0.0.1:8080/mcp` with an API key, in revision 2026-07-28.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`].
    pub async fn connect(url: &str, key: &str) -> Result<Self, ClientError> {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(key);
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("wardkeep-demo", env!("CARGO_PKG_VERSION")),
        );
        let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
        let running = client
            .serve_with_lifecycle(transport, lifecycle)
            .await
            .map_err(|error| ClientError::Connect(Box::new(error)))?;
        Ok(Self(running))
    }

    /// What this key may call.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`], [`ClientError::Transport`].
    pub async fn tools(&self) -> Result<Vec<ToolView>, ClientError> {
        Ok(self.0.list_all_tools().await?)
    }

    /// One call.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`], [`ClientError::Transport`].
    pub async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<Called, ClientError> {
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.0.call_tool(request).await?;
        let text: Vec<_> =
            result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect();
        let correlation = result.meta.as_ref().and_then(|meta| meta.0.get(&format!("{META}correlation-id")));
        Ok(Called {
            text: text.join("\n"),
            is_error: result.is_error.unwrap_or(false),
            correlation: correlation.and_then(Value::as_str).map(str::to_owned),
            structured: result.structured_content,
        })
    }

    /// Hangs up.
    pub async fn close(self) {
        if let Err(error) = self.0.cancel().await {
            tracing::debug!(%error, "the client did not hang up cleanly");
        }
    }
}
