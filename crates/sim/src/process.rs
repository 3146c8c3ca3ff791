//! A server process: the real program on a database file of its own, and the ways to be unkind to it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Error;

/// How long a start or a stop may take before the run is given up. Far more than either needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server program: `STEADFAST_BIN`, or what lies beside this program. Under cargo it is built first, so that no
/// test ever asks an old server.
///
/// # Errors
/// When it is not there.
pub fn program() -> Result<PathBuf, Error> {
    if let Some(given) = std::env::var_os("STEADFAST_BIN") {
        return found(given.into());
    }
    let own = std::env::current_exe().map_err(Error::io("find this program"))?;
    // Programs lie in the profile's folder, test programs in `deps` below it.
    let mut folder = own.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    if let Some(cargo) = std::env::var_os("CARGO") {
        static BUILT: OnceLock<bool> = OnceLock::new();
        // If it fails, cargo says why, and an old program is not used.
        if !BUILT.get_or_init(|| build(&cargo, folder)) {
            return Err(Error::NoServer(String::from("target: it does not build")));
        }
    }
    found(folder.join("steadfast"))
}

fn build(cargo: &OsStr, folder: &Path) -> bool {
    let mut command = std::process::Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--package",
        "steadfast",
        "--bin",
        "steadfast",
    ]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    command.status().is_ok_and(|status| status.success())
}

fn found(path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NoServer(path.display().to_string()))
    }
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Start {
    program: PathBuf,
    arguments: Vec<OsString>,
    user: Option<u32>,
}

impl Start {
    /// On this database file and any free ports.
    ///
    /// # Errors
    /// When there is no server program.
    pub fn on(database: &Path) -> Result<Self, Error> {
        let start = Self {
            program: program()?,
            arguments: Vec::new(),
            user: None,
        };
        let start = start
            .with(["dev", "--headless", "--db-filename"])
            .with([database]);
        Ok(start)
    }

    /// With further arguments.
    #[must_use]
    pub fn with<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// On any free ports. Those of an earlier start are not waited for.
    #[must_use]
    pub fn on_free_ports(self) -> Self {
        self.with(["--port", "0", "--http-port", "0"])
    }

    /// As another user, for whom file permissions count. Only root can.
    #[must_use]
    pub fn as_user(mut self, user: u32, program: PathBuf) -> Self {
        self.user = Some(user);
        self.program = program;
        self
    }

    fn spawn(&self) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.spawn().map_err(Error::io("start the server"))
    }

    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// When it ends instead.
    pub async fn serve(&self) -> Result<Server, Error> {
        let mut server = Server::new(self.spawn()?)?;
        let ready = tokio::time::timeout(PATIENCE, server.read_addresses()).await;
        match ready {
            Ok(Some((address, http_address))) => {
                server.address = address;
                server.http_address = http_address;
                Ok(server)
            }
            Ok(None) => {
                let (status, stderr) = server.ended().await?;
                Err(Error::Start {
                    status: status.to_string(),
                    stderr,
                })
            }
            Err(_) => Err(Error::Late(format!(
                "the server to serve; it said: {}",
                server.stderr()
            ))),
        }
    }

    /// Starts it and kills it after a while, wherever it is then.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn kill_after(&self, life: Duration) -> Result<String, Error> {
        let mut server = Server::new(self.spawn()?)?;
        // The point is to hit it anywhere, also before it serves: there is no condition to wait for.
        tokio::time::sleep(life).await;
        server.kill().await?;
        Ok(server.stderr())
    }

    /// Starts it, expecting that it ends by itself; answers how, and what it said on stderr.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn refuse(&self) -> Result<(ExitStatus, String), Error> {
        let mut server = Server::new(self.spawn()?)?;
        tokio::spawn(drain(server.stdout.take()));
        server.ended().await
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: Pid,
    /// Where it takes gRPC: `host:port`.
    pub address: String,
    /// Where it takes HTTP: `host:port`.
    pub http_address: String,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    fn new(mut child: Child) -> Result<Self, Error> {
        let missing = || std::io::Error::other("it has none");
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| Error::io("find the server's process id")(missing()))?;
        let stdout = child
            .stdout
            .take()
            .map(|stdout| BufReader::new(stdout).lines());
        let stderr = Arc::<Mutex<String>>::default();
        let reader = child
            .stderr
            .take()
            .map(|from| tokio::spawn(collect(from, stderr.clone())));
        Ok(Self {
            child,
            pid,
            address: String::new(),
            http_address: String::new(),
            stdout,
            stderr,
            reader,
        })
    }

    /// Reads what the server greets with; nothing if it ends before it serves.
    async fn read_addresses(&mut self) -> Option<(String, String)> {
        let mut lines = self.stdout.take()?;
        let (mut address, mut http_address) = (None, None);
        while address.is_none() || http_address.is_none() {
            let line = lines.next_line().await.ok()??;
            if let Some(rest) = line.strip_prefix("gRPC:") {
                address = Some(rest.trim().to_owned());
            }
            if let Some(rest) = line.strip_prefix("HTTP:") {
                let url = rest.split_whitespace().next()?;
                http_address = Some(url.trim_start_matches("http://").to_owned());
            }
        }
        tokio::spawn(drain(Some(lines)));
        address.zip(http_address)
    }

    /// What it said on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn client(&self) -> Result<Client, Error> {
        Client::connect(&self.address).await
    }

    /// Kills it as a power cut would: it does not get to do anything more.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.child
            .start_kill()
            .map_err(Error::io("kill the server"))?;
        self.ended().await.map(drop)
    }

    /// Tells it to stop.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn terminate(&self) -> Result<(), Error> {
        self.signal(Signal::TERM)
    }

    /// Takes all processor time from it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after a pause.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        rustix::process::kill_process(self.pid, signal)
            .map_err(|error| Error::io("send the server a signal")(error.into()))
    }

    /// Waits until it has ended; answers how, and what it said on stderr.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&mut self) -> Result<(ExitStatus, String), Error> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .map_err(|_| Error::Late(format!("the server to end; it said: {}", self.stderr())))?
            .map_err(Error::io("wait for the server"))?;
        if let Some(reader) = self.reader.take() {
            // It ends with the pipe, and has nothing to say but what it has collected.
            let _ = reader.await;
        }
        Ok((status, self.stderr()))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// From now on none of its files can grow beyond so many bytes; `None`: as far as the disk goes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn limit_file_size(&self, bytes: Option<u64>) -> Result<(), Error> {
        // Only the soft limit: an ordinary user could not raise the hard one again.
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        rustix::process::prlimit(Some(self.pid), Resource::Fsize, limit)
            .map(drop)
            .map_err(|error| Error::io("limit the server's files")(error.into()))
    }
}

async fn drain(lines: Option<Lines<BufReader<ChildStdout>>>) {
    let Some(mut lines) = lines else { return };
    // A full pipe would block the server.
    while let Ok(Some(_)) = lines.next_line().await {}
}

async fn collect(from: impl AsyncRead + Unpin, into: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&line);
        text.push('\n');
    }
}

/// Copies a database as a crash left it: the file and the log beside it.
///
/// # Errors
/// When a file cannot be copied.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), Error> {
    let beside = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for suffix in ["", "-wal"] {
        let source = beside(from, suffix);
        if source.exists() {
            fs::copy(source, beside(to, suffix)).map_err(Error::io("copy the database"))?;
        }
    }
    Ok(())
}
