//! What the server cannot start on: it says so in one line, ends with 1, and leaves everything as it was.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use steadfast_sim::process::{Start, program};
use tempfile::TempDir;

use crate::scene::Scene;

/// Nobody's number, whose permissions are everybody's.
const NOBODY: u32 = 65_534;

/// Whether file permissions count for this test itself.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Starts a server that must refuse, in one line with all of `words`.
async fn assert_refuses(start: Start, words: &[&str]) {
    let (status, stderr) = start.refuse().await.unwrap();
    assert_eq!(status.code(), Some(1), "{status}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "not one line:\n{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr:?}");
    }
}

/// A server on this file, which must refuse it and leave it alone.
async fn assert_file_refused(path: &Path, words: &[&str]) {
    let before = fs::read(path).unwrap();
    let name = path.to_str().unwrap();
    let start = Start::on(path).unwrap().on_free_ports();
    assert_refuses(start, &[&[name], words].concat()).await;
    assert!(fs::read(path).unwrap() == before, "the file was changed");
}

/// A database that a server has made and left.
async fn database() -> (TempDir, PathBuf) {
    let scene = Scene::new().await;
    scene.start_workflow("w").await;
    let path = scene.database();
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("steadfast.db");
    let folder = scene.folder.path().to_owned();
    let scene = stop(scene).await;
    assert!(folder.exists());
    fs::copy(path, &copied).unwrap();
    drop(scene);
    (copy, copied)
}

/// Stops the server and keeps its folder.
async fn stop(mut scene: Scene) -> TempDir {
    scene.server.terminate().unwrap();
    assert_eq!(scene.server.ended().await.unwrap().0.code(), Some(0));
    scene.folder
}

#[tokio::test]
async fn a_taken_port() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steadfast.db");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (flag, other) in [("--port", "--http-port"), ("--http-port", "--port")] {
        let start = Start::on(&path).unwrap().with([flag, &port, other, "0"]);
        assert_refuses(start, &[&port, "in use", flag]).await;
    }
    assert!(
        !path.exists(),
        "a server that cannot serve touched the database"
    );
}

#[tokio::test]
async fn a_database_that_another_server_has() {
    let scene = Scene::new().await;
    let run_id = scene.start_workflow("w").await;
    let start = Start::on(&scene.database()).unwrap().on_free_ports();
    let path = scene.database();
    assert_refuses(
        start,
        &[path.to_str().unwrap(), "in use by another process"],
    )
    .await;
    // The first one goes on.
    assert_eq!(
        scene
            .workflow_task()
            .await
            .workflow_execution
            .unwrap()
            .run_id,
        run_id
    );
    scene.stop().await;
}

#[tokio::test]
async fn a_read_only_file() {
    let (_folder, path) = database().await;
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    assert_file_refused(&path, &["cannot be written", "read-only"]).await;
}

#[tokio::test]
async fn a_read_only_folder() {
    let (folder, path) = database().await;
    let start = as_nobody_if_root(&folder, Start::on(&path).unwrap().on_free_ports());
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let before = fs::read(&path).unwrap();
    assert_refuses(start, &[path.to_str().unwrap(), "cannot be written"]).await;
    assert!(fs::read(&path).unwrap() == before, "the file was changed");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
}

/// Permissions mean nothing to root: then the server runs as nobody, from a place that nobody may enter.
fn as_nobody_if_root(folder: &TempDir, start: Start) -> Start {
    if !is_root() {
        return start;
    }
    let copy = folder.path().join("steadfast");
    fs::copy(program().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    start.as_user(NOBODY, copy)
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let start = Start::on(folder.path()).unwrap().on_free_ports();
    assert_refuses(start, &[folder.path().to_str().unwrap(), "folder"]).await;
}

#[tokio::test]
async fn garbage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steadfast.db");
    for length in [10_usize, 600, 100_000] {
        let bytes: Vec<u8> = (0..length).map(|n| (n * 7 + n / 251) as u8).collect();
        fs::write(&path, bytes).unwrap();
        assert_file_refused(&path, &["not a usable database"]).await;
    }
}

#[tokio::test]
async fn a_truncated_file() {
    let (_folder, path) = database().await;
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() / 2, 5_000, 100] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_file_refused(&path, &["not a usable database"]).await;
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version() {
    let (_folder, path) = database().await;
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 9_999).unwrap();
    conn.close().unwrap();
    assert_file_refused(&path, &["schema version 9999"]).await;
}

#[tokio::test]
async fn a_database_of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steadfast.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');")
        .unwrap();
    conn.close().unwrap();
    assert_file_refused(&path, &["another program"]).await;
}

#[tokio::test]
async fn settings_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Start::on(&folder.path().join("steadfast.db"))
            .unwrap()
            .on_free_ports()
    };
    assert_refuses(start().with(["--no-such-flag"]), &["--no-such-flag"]).await;
    assert_refuses(
        start().with(["--search-attribute", "Mine=Sometimes"]),
        &["Mine=Sometimes"],
    )
    .await;
    let setting = "limit.historyCount.error=lots";
    assert_refuses(
        start().with(["--dynamic-config-value", setting]),
        &[setting],
    )
    .await;
}
