//! A disk that fills up under a running server: refusals that say so, nothing acknowledged lost, and no
//! restart needed when there is room again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use steadfast_sim::client::Client;
use steadfast_sim::process::{Server, Start};
use steadfast_sim::{api, payload};
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::scene::QUEUE;

/// A way to take all room from a server, and to give it back.
trait Squeeze {
    fn fill(&mut self, server: &Server);
    fn relieve(&mut self, server: &Server);
    fn outlives_the_server(&self) -> bool;
}

/// A small file system of its own. Only root may mount one.
struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    fn mount(place: &Path) -> Option<Self> {
        let options = c"size=48m";
        let mounted = mount("tmpfs", place, "tmpfs", MountFlags::empty(), Some(options));
        mounted.ok().map(|()| Self {
            place: place.to_owned(),
        })
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }
}

impl Squeeze for SmallDisk {
    fn fill(&mut self, _server: &Server) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            if ballast.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn relieve(&mut self, _server: &Server) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn outlives_the_server(&self) -> bool {
        true
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.place, UnmountFlags::DETACH).unwrap();
    }
}

/// A limit on the size of files: what an ordinary user can do.
struct FileLimit;

impl Squeeze for FileLimit {
    fn fill(&mut self, server: &Server) {
        server.limit_file_size(Some(4096)).unwrap();
    }

    fn relieve(&mut self, server: &Server) {
        server.limit_file_size(None).unwrap();
    }

    fn outlives_the_server(&self) -> bool {
        false
    }
}

async fn start(client: &Client, id: &str) -> Result<String, Status> {
    let input = payload::of_bytes(vec![b'x'; 100_000].into());
    client
        .start(api::start(QUEUE, id, Some(input)))
        .await
        .map(|answer| answer.run_id)
}

/// Starts workflows until one is refused; notes those that were taken.
async fn start_until_refused(
    client: &Client,
    name: &str,
    taken: &mut Vec<(String, String)>,
) -> Status {
    for number in 0..2_000 {
        let id = format!("{name}-{number}");
        match start(client, &id).await {
            Ok(run_id) => taken.push((id, run_id)),
            Err(status) => return status,
        }
    }
    panic!("the disk is never full");
}

/// Makes a call until the server takes it; there is nothing but UNAVAILABLE before. Shards notice one after the
/// other that there is room again.
async fn when_possible<T, F>(call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, Status>>,
{
    let taken = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
            }
        }
    };
    tokio::time::timeout(api::SHORT, taken)
        .await
        .expect("it does not go on")
}

async fn story(mut squeeze: impl Squeeze, folder: &Path) {
    let database = folder.join("steadfast.db");
    let begin = Start::on(&database).unwrap().on_free_ports();
    let mut server = begin.serve().await.unwrap();
    let client = server.client().await.unwrap();
    let mut taken = Vec::new();
    for round in 0..3 {
        let sure = format!("before-{round}");
        let before = api::start(QUEUE, &sure, None);
        let run_id = when_possible(|| client.start(before.clone())).await.run_id;
        taken.push((sure.clone(), run_id));
        squeeze.fill(&server);
        let status = start_until_refused(&client, &format!("full-{round}"), &mut taken).await;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        // A shard that cannot write may refuse to read too, but never shows anything else than what is there.
        match client.whole_history(&sure, "").await {
            Ok(events) => assert_eq!(events.len(), 2, "{events:?}"),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
        let big = payload::of_bytes(vec![b'y'; 1 << 20].into());
        let signal = client.signal(api::signal(&sure, "s", Some(big))).await;
        assert_eq!(signal.unwrap_err().code(), Code::Unavailable);
        squeeze.relieve(&server);
        let id = format!("after-{round}");
        let after = api::start(QUEUE, &id, None);
        let run_id = when_possible(|| client.start(after.clone())).await.run_id;
        taken.push((id, run_id));
        let signal = api::signal(&sure, "s", None);
        when_possible(|| client.signal(signal.clone())).await;
    }
    assert!(server.is_running());
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    check_all(&client, &taken).await;
    server.kill().await.unwrap();
    let mut server = begin.serve().await.unwrap();
    let client = server.client().await.unwrap();
    check_all(&client, &taken).await;
    // A server without disk can still be stopped.
    squeeze.fill(&server);
    start_until_refused(&client, "last", &mut taken).await;
    server.terminate().unwrap();
    let (status, stderr) = server.ended().await.unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    let mut server = begin.serve().await.unwrap();
    let client = server.client().await.unwrap();
    if squeeze.outlives_the_server() {
        // Killed and started on a full disk, it waits for room as it does while it runs.
        start_until_refused(&client, "later", &mut taken).await;
        server.kill().await.unwrap();
        server = begin.serve().await.unwrap();
        squeeze.relieve(&server);
    }
    let client = server.client().await.unwrap();
    let end = api::start(QUEUE, "end", None);
    let run_id = when_possible(|| client.start(end.clone())).await.run_id;
    taken.push((String::from("end"), run_id));
    check_all(&client, &taken).await;
    server.terminate().unwrap();
    assert_eq!(server.ended().await.unwrap().0.code(), Some(0));
    let found = steadfast_sim::check::file::check(&database).await.unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.runs >= taken.len() as u64);
}

async fn check_all(client: &Client, taken: &[(String, String)]) {
    for (id, run_id) in taken {
        let events = when_possible(|| client.whole_history(id, run_id)).await;
        let signals = usize::from(id.starts_with("before"));
        assert_eq!(events.len(), 2 + signals, "{id}: {events:?}");
    }
}

#[tokio::test]
async fn a_full_disk() {
    let folder = TempDir::new().unwrap();
    // Who may not mount a disk is stopped by a limit instead, which is the next story in full.
    match SmallDisk::mount(folder.path()) {
        Some(disk) => story(disk, folder.path()).await,
        None => story(FileLimit, folder.path()).await,
    }
}

#[tokio::test]
async fn a_limit_on_the_size_of_files() {
    let folder = TempDir::new().unwrap();
    story(FileLimit, folder.path()).await;
}
