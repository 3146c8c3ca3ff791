//! A server of our own for the end-to-end tests: on free ports, on a fresh database file, and gone at
//! the end of the test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is off by default, and tested.
const TIME_SKIPPING: &str = "frontend.WorkflowTimeSkippingEnabled=true";

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    port: u16,
    http_port: u16,
    folder: PathBuf,
}

impl Server {
    /// Starts the debug build, which checks its invariants after every step, and waits until it says that it is well.
    pub(crate) fn start() -> Result<Self, String> {
        let (port, http_port) = (free_port()?, free_port()?);
        let folder = std::env::temp_dir().join(format!("steadfast-test-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let log = fs::File::create(folder.join("log"))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let child = Command::new("target/debug/steadfast")
            .args(["dev", "--headless", "--port", &port.to_string()])
            .args(["--dynamic-config-value", TIME_SKIPPING])
            .args(["--http-port", &http_port.to_string(), "--db-filename"])
            .arg(folder.join("steadfast.db"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start target/debug/steadfast: {error}"))?;
        let server = Self {
            child,
            port,
            http_port,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !healthy(http_port) {
            if Instant::now() > deadline {
                return Err(format!(
                    "the server did not come up: see {}/log",
                    server.folder.display()
                ));
            }
            std::thread::yield_now();
        }
        Ok(server)
    }

    /// Where it takes gRPC.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it takes HTTP.
    pub(crate) fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

fn healthy(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
