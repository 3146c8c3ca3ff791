//! The command line: `steadfast dev`, with the flags of the reference's `temporal server start-dev`,
//! so that scripts written for that one work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::search_attributes::{self, SearchAttributeType};

/// A durable-execution server that speaks Temporal's API.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve on this machine, with everything in one SQLite file.
    Dev(Box<Dev>),
    /// The reference's spelling of `dev`.
    #[command(hide = true, subcommand)]
    Server(ServerCommand),
    /// Serve for tests of workflows, in memory, with a clock that skips time. SDKs start it as `steadfast PORT`.
    TestServer(TestServer),
}

/// Settings of `steadfast test-server`.
#[derive(Debug, Clone, Args)]
pub struct TestServer {
    /// Port of the gRPC API.
    pub port: u16,
    /// Begin with a clock that may jump; by default it is locked, and tests unlock it.
    #[arg(long)]
    pub enable_time_skipping: bool,
}

/// The reference's spelling of `dev`.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// As `steadfast dev`, but in memory unless a file is named, as there. SDKs' test environments start servers so: many
    /// at a time, and each must be new.
    StartDev(Box<Dev>),
}

impl CommandLine {
    /// Reads a command line. One that begins with a port is the test server's: so SDKs start it.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        let is_port = |argument: &OsString| {
            argument
                .to_str()
                .is_some_and(|text| text.parse::<u16>().is_ok())
        };
        if arguments.get(1).is_some_and(is_port) {
            arguments.insert(1, "test-server".into());
        }
        Self::try_parse_from(arguments)
    }

    /// The settings of the server to run, and of its clock if that may skip time.
    pub fn dev(self) -> (Dev, Option<TestServer>) {
        match self.command {
            Command::Dev(dev) => (*dev, None),
            Command::Server(ServerCommand::StartDev(mut dev)) => {
                dev.in_memory |= dev.db_filename.is_none();
                (*dev, None)
            }
            Command::TestServer(test) => (Dev::for_tests(test.port), Some(test)),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line each.
    Text,
    /// One JSON object each.
    Json,
    /// Several lines each, for the eye.
    Pretty,
}

/// Settings of `steadfast dev`.
#[derive(Debug, Clone, Args)]
pub struct Dev {
    /// The SQLite file; created if it is not there. Default: steadfast.db.
    #[arg(short = 'f', long, env = "STEADFAST_DB_FILENAME")]
    pub db_filename: Option<PathBuf>,

    /// Keep everything in memory: all is lost at the end.
    #[arg(long, env = "STEADFAST_IN_MEMORY", conflicts_with = "db_filename")]
    pub in_memory: bool,

    /// Port of the gRPC API.
    #[arg(short, long, env = "STEADFAST_PORT", default_value_t = 7233)]
    pub port: u16,

    /// Port of health checks and metrics. Default: ten above the API's port.
    #[arg(long, env = "STEADFAST_HTTP_PORT")]
    pub http_port: Option<u16>,

    /// A further port where metrics are served.
    #[arg(long, env = "STEADFAST_METRICS_PORT")]
    pub metrics_port: Option<u16>,

    /// A further port where HTTP is served.
    #[arg(long, env = "STEADFAST_UI_PORT")]
    pub ui_port: Option<u16>,

    /// Address to listen on.
    #[arg(long, env = "STEADFAST_IP", default_value = "127.0.0.1", value_parser = parse_ip)]
    pub ip: IpAddr,

    /// Address to listen on at `--ui-port`. Default: the API's.
    #[arg(long, value_parser = parse_ip)]
    pub ui_ip: Option<IpAddr>,

    /// A namespace to create if it is not there, besides `default`. Repeatable.
    #[arg(
        short,
        long = "namespace",
        env = "STEADFAST_NAMESPACE",
        value_delimiter = ','
    )]
    pub namespaces: Vec<String>,

    /// A search attribute to add to the namespaces above, as KEY=TYPE. Repeatable.
    ///
    /// Types: Text, Keyword, Int, Double, Bool, Datetime, KeywordList.
    #[arg(
        long = "search-attribute",
        value_name = "KEY=TYPE",
        value_parser = parse_search_attribute,
    )]
    pub search_attributes: Vec<(String, SearchAttributeType)>,

    /// A setting by the reference's name, as KEY=JSON. Repeatable. Unknown ones are ignored.
    #[arg(long = "dynamic-config-value", value_name = "KEY=JSON", value_parser = parse_setting)]
    pub dynamic_config_values: Vec<(String, serde_json::Value)>,

    /// What to log: debug, info, warn, error, never, or a filter by module.
    #[arg(long, env = "STEADFAST_LOG_LEVEL", default_value = "warn")]
    pub log_level: String,

    /// How log lines look.
    #[arg(long, env = "STEADFAST_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// Write the settings to stderr before serving.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub log_config: Option<bool>,

    /// Flags of the reference that have no effect here.
    #[command(flatten)]
    pub accepted: Accepted,
}

/// Flags of the reference that are taken, so that scripts work, and do nothing.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Taken and ignored")]
pub struct Accepted {
    /// There are no pages to leave out.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    headless: Option<bool>,
    /// SQLite is set up for durability, and stays so.
    #[arg(long, hide = true)]
    sqlite_pragma: Vec<String>,
    #[arg(long, hide = true)]
    ui_asset_path: Option<String>,
    #[arg(long, hide = true)]
    ui_codec_endpoint: Option<String>,
    #[arg(long, hide = true)]
    ui_public_path: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    ui_disable_news_fetch: Option<bool>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(short, long, hide = true)]
    output: Option<String>,
    #[arg(long, hide = true)]
    env: Option<String>,
    #[arg(long, hide = true)]
    env_file: Option<String>,
    #[arg(long, hide = true)]
    profile: Option<String>,
    #[arg(long, hide = true)]
    config_file: Option<String>,
    #[arg(long, hide = true)]
    time_format: Option<String>,
    #[arg(long, hide = true)]
    command_timeout: Option<String>,
    #[arg(long, hide = true)]
    client_connect_timeout: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    no_json_shorthand_payloads: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    disable_config_file: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    disable_config_env: Option<bool>,
}

impl Accepted {
    /// Those that ask for something that is not done.
    pub fn without_effect(&self) -> Vec<&'static str> {
        let given = [
            ("--sqlite-pragma", !self.sqlite_pragma.is_empty()),
            ("--ui-asset-path", self.ui_asset_path.is_some()),
            ("--ui-codec-endpoint", self.ui_codec_endpoint.is_some()),
            ("--ui-public-path", self.ui_public_path.is_some()),
        ];
        let given = given.into_iter().filter(|(_, given)| *given);
        given.map(|(flag, _)| flag).collect()
    }
}

impl Dev {
    /// A server for tests: in memory, HTTP on any free port.
    fn for_tests(port: u16) -> Self {
        Self {
            db_filename: None,
            in_memory: true,
            port,
            http_port: Some(0),
            metrics_port: None,
            ui_port: None,
            ip: Ipv4Addr::LOCALHOST.into(),
            ui_ip: None,
            namespaces: Vec::new(),
            search_attributes: Vec::new(),
            dynamic_config_values: Vec::new(),
            log_level: "warn".to_owned(),
            log_format: LogFormat::Text,
            log_config: None,
            accepted: Accepted::default(),
        }
    }

    /// The file where everything is kept, if not in memory.
    pub fn database(&self) -> Option<&Path> {
        let file = self.db_filename.as_deref();
        (!self.in_memory).then(|| file.unwrap_or(Path::new("steadfast.db")))
    }

    /// Where HTTP is served: the port, and whether it was asked for.
    pub fn http_port(&self) -> (u16, bool) {
        match self.http_port {
            Some(port) => (port, true),
            // Port 0 means any free one, here as there.
            None if self.port == 0 => (0, false),
            None => (self.port.checked_add(10).unwrap_or(0), false),
        }
    }

    /// Further places where the same is served: address, port, and the flag that asks for it.
    pub fn further_http(&self) -> Vec<(IpAddr, u16, &'static str)> {
        let ui_ip = self.ui_ip.unwrap_or(self.ip);
        let ui = self.ui_port.map(|port| (ui_ip, port, "--ui-port"));
        let metrics = self
            .metrics_port
            .map(|port| (self.ip, port, "--metrics-port"));
        let mut places: Vec<_> = [ui, metrics].into_iter().flatten().collect();
        places.dedup_by_key(|(ip, port, _)| (*ip, *port));
        places.retain(|(ip, port, _)| (*ip, *port) != (self.ip, self.http_port().0));
        places
    }

    /// Search attributes as the registry keeps them.
    pub fn search_attributes(&self) -> BTreeMap<String, i32> {
        let attributes = self.search_attributes.iter();
        attributes
            .map(|(name, kind)| (name.clone(), kind.to_wire().into()))
            .collect()
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        "" => Ok(Ipv6Addr::UNSPECIFIED.into()),
        _ => text.parse().map_err(|_| "not an IP address".to_owned()),
    }
}

fn parse_search_attribute(text: &str) -> Result<(String, SearchAttributeType), String> {
    let Some((name, kind)) = text.split_once('=') else {
        return Err("must be KEY=TYPE".to_owned());
    };
    let found = SearchAttributeType::ALL
        .into_iter()
        .find(|known| known.name().eq_ignore_ascii_case(kind));
    let Some(kind) = found else {
        let known: Vec<_> = SearchAttributeType::ALL
            .map(SearchAttributeType::name)
            .to_vec();
        return Err(format!(
            "{kind} is not a type; types are {}",
            known.join(", ")
        ));
    };
    if search_attributes::is_reserved(name) {
        return Err(format!("{name} is reserved by the system"));
    }
    Ok((name.to_owned(), kind))
}

fn parse_setting(text: &str) -> Result<(String, serde_json::Value), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("must be KEY=JSON".to_owned());
    };
    match serde_json::from_str(value) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(error) => Err(format!(
            "the value is not JSON: {error}; quote strings, as in {name}='\"1s\"'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Dev, clap::Error> {
        CommandLine::read(line.split(' ').map(OsString::from)).map(|line| line.dev().0)
    }

    #[test]
    fn the_references_command_line_is_understood() {
        let dev = parse(
            "steadfast server start-dev -f x.db -p 7300 --ip localhost --headless \
             --log-level error \
             -n one -n two --search-attribute A=Keyword --search-attribute B=int --http-port 7301 \
             --dynamic-config-value limit.maxIDLength=10 --sqlite-pragma journal_mode=wal \
             --log-config=true --ui-port 8300 --ui-ip 127.0.0.2 --ui-public-path /t --metrics-port 8301",
        )
        .unwrap();
        assert_eq!(dev.database(), Some(Path::new("x.db")));
        assert_eq!((dev.port, dev.http_port()), (7300, (7301, true)));
        assert_eq!(dev.ip, IpAddr::from(Ipv4Addr::LOCALHOST));
        assert_eq!(dev.namespaces, ["one", "two"]);
        assert_eq!(
            dev.search_attributes()["B"],
            SearchAttributeType::Int.to_wire() as i32
        );
        assert_eq!(dev.dynamic_config_values[0].1, serde_json::json!(10));
        let (ip, ui_ip) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let further = [(ui_ip, 8300, "--ui-port"), (ip, 8301, "--metrics-port")];
        assert_eq!(dev.further_http(), further);
        assert_eq!(dev.log_config, Some(true));
        let without_effect = dev.accepted.without_effect();
        assert_eq!(without_effect, ["--sqlite-pragma", "--ui-public-path"]);
    }

    #[test]
    fn defaults() {
        let dev = parse("steadfast dev").unwrap();
        assert_eq!((dev.port, dev.http_port()), (7233, (7243, false)));
        assert!(dev.further_http().is_empty());
        assert!(dev.accepted.without_effect().is_empty());
        assert_eq!(dev.log_format, LogFormat::Text);
        assert_eq!(dev.database(), Some(Path::new("steadfast.db")));
        assert_eq!(parse("steadfast dev --in-memory").unwrap().database(), None);
        let theirs = parse("steadfast server start-dev").unwrap();
        assert_eq!(theirs.database(), None);
    }

    #[test]
    fn sdks_start_a_test_server_with_a_port() {
        let read = |line: &str| CommandLine::read(line.split(' ').map(OsString::from));
        let (dev, test) = read("steadfast 7300").unwrap().dev();
        assert_eq!((dev.port, dev.in_memory), (7300, true));
        assert!(!test.unwrap().enable_time_skipping);
        let (_, test) = read("steadfast 7300 --enable-time-skipping").unwrap().dev();
        assert!(test.unwrap().enable_time_skipping);
        assert!(read("steadfast dev --port 7300").unwrap().dev().1.is_none());
        assert!(read("steadfast 99999").is_err());
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "steadfast",
            "steadfast dev --ip nowhere",
            "steadfast dev --search-attribute A",
            "steadfast dev --search-attribute A=Number",
            "steadfast dev --search-attribute RunId=Keyword",
            "steadfast dev --dynamic-config-value limit.maxIDLength=ten",
            "steadfast dev --port 99999",
            "steadfast dev --in-memory -f x.db",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
