//! A running host: over HTTP, or over its standard input. Ends with the value that stands for it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    home::{Home, KEY},
    http::Mcp,
};

/// `wardkeep serve`, ready.
pub struct Serving {
    child: Child,
    pub address: SocketAddr,
    stderr: Arc<Mutex<String>>,
}

impl Home {
    /// Starts `wardkeep serve` and waits until it says where it listens.
    pub fn serve(&self) -> Serving {
        self.started(true, &[])
    }

    /// The same with more in its environment.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Serving {
        self.started(true, environment)
    }

    /// The same, and nobody reads what it writes on standard error after that.
    pub fn serve_unread(&self) -> Serving {
        self.started(false, &[])
    }

    fn started(&self, reads_on: bool, environment: &[(&str, &str)]) -> Serving {
        let mut command = self.wardkeep(&["serve"]);
        command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("wardkeep starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("piped"));
        let told = Arc::clone(&stderr);
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut told = told.lock().unwrap();
                told.push_str(&line);
                told.push('\n');
                if !reads_on && told.contains("http://") {
                    drop(told);
                    // the pipe stays open, and full
                    loop {
                        thread::park();
                    }
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = loop {
            let text = stderr.lock().unwrap().clone();
            if let Some(address) = text.split("http://").nth(1).and_then(|rest| rest.split('/').next()) {
                break address.parse().unwrap_or_else(|_| panic!("no address in {text}"));
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("serve ended with {status}: {text}");
            }
            assert!(Instant::now() < deadline, "serve does not listen: {text}");
            thread::sleep(Duration::from_millis(20));
        };
        Serving { child, address, stderr }
    }

    /// Starts `wardkeep serve --stdio`.
    pub fn stdio(&self) -> Stdio2026 {
        let mut child = self
            .wardkeep(&["serve", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wardkeep starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut errors = BufReader::new(child.stderr.take().expect("piped"));
        // read so that the child never waits for us
        thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Stdio2026 { child, stdin, stdout, next: 0 }
    }
}

impl Serving {
    pub fn mcp(&self) -> Mcp {
        Mcp { address: self.address, key: KEY.to_owned() }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Whether it says this, soon: what it logs is written by a thread of its own.
    pub fn says(&self, words: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.stderr().contains(words) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.stderr().contains(words)
    }

    /// SIGHUP: reload now.
    pub fn hang_up(&self) {
        rustix::process::kill_process(self.process(), rustix::process::Signal::HUP).unwrap();
    }

    pub fn process(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Whether it ends by itself, or by somebody else's doing, soon.
    pub fn ends(mut self) -> bool {
        wait(&mut self.child, Duration::from_secs(10)).is_some()
    }

    /// SIGKILL, at once.
    pub fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; gives the exit code and how long it took.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = wait(&mut self.child, Duration::from_secs(20)).expect("SIGTERM ends it");
        (status.code(), begun.elapsed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait(child: &mut Child, most: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + most;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// A client of revision 2026-07-28 over a child's standard input and output.
pub struct Stdio2026 {
    pub child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next: u64,
}

impl Stdio2026 {
    /// Sends one raw line.
    pub fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().expect("still open");
        stdin.write_all(format!("{message}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The next message; nothing once the output has ended.
    pub fn receive(&mut self) -> Option<Value> {
        let mut line = String::new();
        (self.stdout.read_line(&mut line).unwrap() > 0).then(|| {
            serde_json::from_str(&line)
                .unwrap_or_else(|e| panic!("standard output is the protocol's alone: {e}: {line:?}"))
        })
    }

    pub fn request(&mut self, method: &str, mut params: Value) -> Value {
        self.next += 1;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.receive().expect("an answer");
            if message["id"] == json!(id) {
                return message;
            }
        }
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Ends the input; gives how long the process took to end.
    pub fn hang_up(mut self) -> Duration {
        let begun = Instant::now();
        drop(self.stdin.take());
        wait(&mut self.child, Duration::from_secs(20)).expect("the end of input ends the process");
        begun.elapsed()
    }
}

impl Drop for Stdio2026 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
