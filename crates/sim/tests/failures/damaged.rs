//! A start that is cut short, and one run whose journal is damaged: neither keeps the server from its work.

use std::time::Duration;

use proto::temporal::api::workflowservice::v1::DescribeWorkflowExecutionRequest;
use rusqlite::Connection;
use steadfast_sim::api;
use steadfast_sim::process::Start;
use tonic::Code;

use crate::scene::{QUEUE, Scene};

#[tokio::test]
async fn a_first_start_that_is_killed_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steadfast.db");
    let start = Start::on(&path).unwrap().on_free_ports();
    for millis in (0..60).step_by(3) {
        let stderr = start
            .kill_after(Duration::from_millis(millis))
            .await
            .unwrap();
        assert_eq!(stderr, "", "killed after {millis} ms");
    }
    let mut server = start.serve().await.unwrap();
    let client = server.client().await.unwrap();
    client.start(api::start(QUEUE, "w", None)).await.unwrap();
    server.terminate().unwrap();
    assert_eq!(server.ended().await.unwrap().0.code(), Some(0));
    let found = steadfast_sim::check::file::check(&path).await.unwrap();
    assert_eq!((found.runs, found.problems), (1, Vec::new()));
}

/// Stops the server, spoils what `sql` finds in its database, and starts it again.
async fn spoil(scene: &mut Scene, sql: &str) {
    scene.server.terminate().unwrap();
    assert_eq!(scene.server.ended().await.unwrap().0.code(), Some(0));
    let conn = Connection::open(scene.database()).unwrap();
    assert_eq!(conn.execute(sql, ()).unwrap(), 1, "nothing was spoilt");
    conn.close().unwrap();
    scene.restart().await;
}

#[tokio::test]
async fn one_damaged_journal() {
    for spoilt in [
        "UPDATE journal SET bytes = x'ffffffffff' WHERE id = (SELECT min(id) FROM journal)",
        "UPDATE journal SET bytes = x'ffffffffff' WHERE id = (SELECT min(id) + 1 FROM journal)",
        "DELETE FROM journal WHERE id = (SELECT min(id) FROM journal)",
    ] {
        let mut scene = Scene::new().await;
        let task = scene.started_activity("damaged").await;
        scene.start_workflow("neighbour").await;
        spoil(&mut scene, spoilt).await;
        // The neighbour's task comes, and more work is taken.
        let neighbour = scene.workflow_task().await;
        assert_eq!(
            neighbour.workflow_execution.unwrap().workflow_id,
            "neighbour"
        );
        scene
            .complete(neighbour.task_token, vec![api::complete(None)])
            .await
            .unwrap();
        scene.start_workflow("another").await;
        assert_eq!(
            scene
                .workflow_task()
                .await
                .workflow_execution
                .unwrap()
                .workflow_id,
            "another"
        );
        // Whoever asks for the damaged one is told so, again and again, and nothing is made up.
        for _ in 0..3 {
            let describe = DescribeWorkflowExecutionRequest {
                namespace: api::NAMESPACE.to_owned(),
                execution: api::execution("damaged", ""),
            };
            for status in [
                scene.client.describe(describe).await.unwrap_err(),
                scene
                    .client
                    .signal(api::signal("damaged", "s", None))
                    .await
                    .unwrap_err(),
                scene
                    .complete_activity(task.task_token.clone())
                    .await
                    .unwrap_err(),
                scene
                    .client
                    .start(api::start(QUEUE, "damaged", None))
                    .await
                    .unwrap_err(),
            ] {
                let code = status.code();
                assert!(
                    matches!(code, Code::DataLoss | Code::Internal | Code::Unknown),
                    "{status}"
                );
            }
        }
        assert!(
            !scene.server.stderr().contains("panicked"),
            "{}",
            scene.server.stderr()
        );
        scene.stop().await;
    }
}
