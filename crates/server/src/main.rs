//! The `steadfast` binary: reads the command line, opens the store, serves until told to stop.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use steadfast::batch;
use steadfast::config::{CommandLine, Dev, LogFormat, TestServer};
use steadfast::deployments::drainage as drainage_of_versions;
use steadfast::dynamic_config::{SettingError, Settings};
use steadfast::grpc::{self, Frontend, SERVER_VERSION};
use steadfast::http::{self, Metrics};
use steadfast::namespaces::Namespaces;
use steadfast::node::{Node, NodeOptions, SystemClock};
use steadfast::time_skipping::TimeSkipping;
use store::{MemoryStore, SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Bytes of executions kept in memory.
const CACHE_BYTES_MAX: usize = 128 << 20;

fn main() -> ExitCode {
    let line = match CommandLine::read(std::env::args_os()) {
        Ok(line) => line,
        Err(error) => return refused(&error),
    };
    let (dev, test) = line.dev();
    match run(dev, test.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Help goes out as it is; a mistake becomes one line that says what to do.
fn refused(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let first: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let _ = writeln!(
        std::io::stderr(),
        "{}; see steadfast dev --help",
        first.join(" ")
    );
    ExitCode::FAILURE
}

fn run(dev: Dev, test: Option<&TestServer>) -> Result<(), String> {
    log_to_stderr(&dev)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no threads can be started: {error}"))?;
    let skipping = test.map(|test| TimeSkipping::new(!test.enable_time_skipping));
    runtime.block_on(serve(dev, skipping))
}

fn log_to_stderr(dev: &Dev) -> Result<(), String> {
    let level = if dev.log_level == "never" {
        "off"
    } else {
        &dev.log_level
    };
    let filter = EnvFilter::try_new(level)
        .map_err(|error| format!("--log-level {level} makes no sense: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match dev.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
        LogFormat::Pretty => builder.pretty().init(),
    }
    Ok(())
}

async fn serve(dev: Dev, skipping: Option<Arc<TimeSkipping>>) -> Result<(), String> {
    survive_file_size_limits()?;
    let mut stop_signals = StopSignals::watch()?;
    let settings = settings(&dev)?;
    tell(&dev, &settings);
    // Ports first: a second server by mistake must not touch the first one's database.
    let listener = bind(dev.ip, dev.port, "--port").await?;
    let http_listener = bind_http(&dev).await?;
    let mut http_listeners = Vec::new();
    for (ip, port, flag) in dev.further_http() {
        http_listeners.push(bind(ip, port, flag).await?);
    }
    let address = local(&listener)?;
    let http_address = local(&http_listener)?;
    http_listeners.insert(0, http_listener);
    let metrics = Metrics::install().map_err(|error| format!("metrics: {error}"))?;

    let store = open_store(&dev)?;
    let cannot_start = |error: store::StoreError| error.to_string();
    let search_attributes = dev.search_attributes();
    let namespaces = Namespaces::open(store.clone(), &dev.namespaces, &search_attributes);
    let namespaces = Arc::new(namespaces.await.map_err(cannot_start)?);
    if skipping.is_some() {
        keep_everything(&namespaces).await?;
    }
    let options = NodeOptions {
        shard_count: 0,
        cache_bytes_max: CACHE_BYTES_MAX,
        limits: settings.limits.clone(),
        clock: match &skipping {
            Some(skipping) => skipping.clone(),
            None => Arc::new(SystemClock),
        },
        seed: uuid::Uuid::new_v4().as_u64_pair().0,
        poll_hold_max: settings.poll_hold_max,
        callback_url: settings.callback_url.clone().unwrap_or_else(|| {
            format!("http://{http_address}/namespaces/{{namespace}}/nexus/callback")
        }),
    };
    let node = Node::start(options, store, namespaces.clone())
        .await
        .map_err(cannot_start)?;
    // Deletions that a restart cut short go on.
    for entry in namespaces.deleted() {
        node.shards.delete_namespace(&entry.namespace);
        let forgotten = node.deployments.forget_namespace(entry.namespace.id);
        forgotten.await.map_err(cannot_start)?;
    }

    let (stop, stopping) = watch::channel(false);
    let Settings {
        limits,
        history_wait,
        drainage,
        http_allowed_hosts,
        ..
    } = settings;
    let allowed_hosts: Option<Arc<[String]>> = http_allowed_hosts.map(Into::into);
    let watch = drainage_of_versions::watch(node.clone(), drainage, stopping.clone());
    tokio::spawn(watch);
    let mut frontend = Frontend::new(
        node.clone(),
        namespaces,
        limits,
        history_wait,
        address,
        http_address,
        stopping.clone(),
    );
    if let Some(skipping) = skipping {
        frontend.time_skipping = Some(skipping.clone());
        tokio::spawn(skipping.run(node.shards.clone()));
    }
    let frontend = Arc::new(frontend);
    batch::resume(&frontend).await.map_err(cannot_start)?;
    for listener in http_listeners {
        tokio::spawn(http::serve(
            listener,
            frontend.clone(),
            metrics.clone(),
            allowed_hosts.clone(),
            stopping.clone(),
        ));
    }
    tokio::spawn(metrics.upkeep());
    let served = tokio::spawn(grpc::serve(listener, frontend, stopping));
    greet(&dev, address, http_address);

    stop_signals.next().await;
    tracing::info!("stopping");
    let _ = stop.send(true);
    tokio::spawn(async move {
        // Who asks twice does not want to wait.
        stop_signals.next().await;
        std::process::exit(130);
    });
    node.stop().await;
    let _ = served.await;
    Ok(())
}

/// Time that is skipped is no time in which anything grows old.
async fn keep_everything(namespaces: &Namespaces) -> Result<(), String> {
    const CENTURY_S: u64 = 100 * 365 * 24 * 3600;
    for entry in namespaces.all() {
        let changed =
            namespaces.change(&entry.record.name, |record| record.retention_s = CENTURY_S);
        changed.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What was asked for and is not done, and, if wanted, what the server runs with.
fn tell(dev: &Dev, settings: &Settings) {
    let without_effect = dev.accepted.without_effect();
    if !without_effect.is_empty() {
        let flags = without_effect.join(", ");
        tracing::warn!("{flags}: taken, but without effect here");
    }
    if dev.log_config == Some(true) {
        let _ = writeln!(std::io::stderr(), "{dev:#?}\n{settings:#?}");
    }
}

fn settings(dev: &Dev) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for (name, value) in &dev.dynamic_config_values {
        match settings.set(name, value) {
            Ok(()) => {}
            Err(unknown @ SettingError::Unknown(_)) => tracing::warn!("{unknown}"),
            Err(wrong @ SettingError::Value { .. }) => {
                return Err(format!("--dynamic-config-value: {wrong}"));
            }
        }
    }
    Ok(settings)
}

async fn bind(ip: IpAddr, port: u16, flag: &str) -> Result<TcpListener, String> {
    TcpListener::bind((ip, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {port} of {ip} is in use, maybe by another server; choose a free one with {flag}"
        ),
        _ => format!("port {port} of {ip} cannot be opened: {error}; see --ip and {flag}"),
    })
}

/// A port that was asked for must be free; otherwise any free one will do.
async fn bind_http(dev: &Dev) -> Result<TcpListener, String> {
    let (port, asked) = dev.http_port();
    match bind(dev.ip, port, "--http-port").await {
        Err(_) if !asked => bind(dev.ip, 0, "--http-port").await,
        bound => bound,
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener
        .local_addr()
        .map_err(|error| format!("a port has no address: {error}"))
}

fn open_store(dev: &Dev) -> Result<Arc<dyn Store>, String> {
    let Some(file) = dev.database() else {
        return Ok(Arc::new(MemoryStore::new()));
    };
    let store = SqliteStore::open(file)
        .map_err(|error| format!("{error}; choose another file with --db-filename"))?;
    Ok(Arc::new(store))
}

fn greet(dev: &Dev, address: SocketAddr, http_address: SocketAddr) {
    let database = match dev.database() {
        None => "in memory; all is lost at the end".to_owned(),
        Some(file) => {
            let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            format!("{}; what is acknowledged is on disk", path.display())
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "Steadfast {version} (API of Temporal {SERVER_VERSION})\n"
    );
    let _ = writeln!(out, "gRPC:      {address}");
    let _ = writeln!(
        out,
        "HTTP:      http://{http_address} (/healthz, /readyz, /metrics)"
    );
    let _ = writeln!(out, "Database:  {database}");
    let _ = out.flush();
}

/// A file that meets the process's limit on file sizes is like a full disk: the write must fail, and not, as
/// the system would have it, end the process. Once watched for, a signal never has its own way again.
fn survive_file_size_limits() -> Result<(), String> {
    /// SIGXFSZ, wherever Linux and the BSDs are not on MIPS.
    const FILE_SIZE_EXCEEDED: i32 = 25;
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED))
        .map(drop)
        .map_err(|error| format!("signals cannot be received: {error}"))
}

/// Being told to stop, by signal.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// From here on none is missed, and none ends the process by itself: to be called before anybody is served.
    fn watch() -> Result<Self, String> {
        let watch =
            |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
