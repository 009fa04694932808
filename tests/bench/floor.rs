//! The floor of the protocol: a bare rmcp server that answers by itself, without a sandbox, a record or a caller. The same library with
//! the same settings as the host's, in a process of its own. And the same with the sandbox, still without a record or a caller.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use axum::Router;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{calls, sandbox::Served};

/// What this program is told to be the floor over HTTP, and over standard input.
pub const HTTP: &str = "floor-http";
pub const STDIO: &str = "floor-stdio";
/// And over HTTP with the sandbox.
pub const SANDBOX: &str = "floor-sandbox";

/// The floor over HTTP, in a process of its own.
pub struct Http {
    pub address: SocketAddr,
    pub child: Child,
}

impl Http {
    pub fn start() -> Self {
        Self::of(HTTP)
    }

    /// Its tool runs in a sandbox.
    pub fn with_sandbox() -> Self {
        Self::of(SANDBOX)
    }

    fn of(kind: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap()).arg(kind).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).unwrap();
        Self { address: line.trim().parse().unwrap(), child }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The floor over standard input and output.
pub fn stdio() -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(STDIO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[derive(Clone)]
struct Bare {
    sandbox: Option<Arc<Served>>,
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("floor", "1"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let answer = match &self.sandbox {
            Some(served) => Arc::clone(served).answer(arguments).await,
            None => Value::Object(arguments),
        };
        Ok(CallToolResult::structured(answer).into())
    }

    fn get_tool(&self, _: &str) -> Option<Tool> {
        Some(tool())
    }
}

fn tool() -> Tool {
    let Value::Object(schema) = json!({ "type": "object" }) else { unreachable!() };
    Tool::new("fixture_echo", "gives its arguments back", Arc::new(schema))
}

/// Serves until it is killed; says where, as the host does.
pub fn serve_http() {
    runtime().block_on(serve(Bare { sandbox: None }));
}

/// The same with a sandbox behind it.
pub fn serve_sandbox() {
    runtime().block_on(async {
        let served = Served::of(&calls::home(), &calls::arguments()).await;
        serve(Bare { sandbox: Some(Arc::new(served)) }).await;
    });
}

async fn serve(bare: Bare) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let service = StreamableHttpService::new(move || Ok(bare.clone()), Arc::<LocalSessionManager>::default(), config);
    let router = Router::new().nest_service("/mcp", service);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let stream = hyper_util::rt::TokioIo::new(stream);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
    }
}

/// Serves until its input ends.
pub fn serve_stdio() {
    runtime().block_on(async {
        let running = Bare { sandbox: None }.serve(rmcp::transport::stdio()).await.unwrap();
        running.waiting().await.unwrap();
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
