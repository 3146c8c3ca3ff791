//! Changes of workflow code: patches, and worker deployments with pinned workflows.

use anyhow::Result;
use temporalio_client::tonic::Request;
use temporalio_common::protos::temporal::api::enums::v1::{EventType, VersioningBehavior as Wire};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest,
};
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion,
};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    SyncWorkflowContext, VersioningOverride, WorkerOptions, WorkflowContext,
    WorkflowRegistrationError, WorkflowResult,
};

use crate::scene::{Scene, count, history, play, until};

/// Says which build ends it.
#[workflow]
#[derive(Default)]
struct Built {
    ended: bool,
}

#[workflow_methods]
impl Built {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|built| built.ended).await?;
        Ok(ctx.current_deployment_version().map(|version| version.build_id).unwrap_or_default())
    }

    #[signal]
    fn end(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.ended = true;
    }
}

fn version(scene: &Scene, build: &str) -> WorkerDeploymentVersion {
    WorkerDeploymentVersion::builder().deployment_name(scene.id("app")).build_id(build).build()
}

/// A worker of one build, whose workflows stay with it.
fn build(
    scene: &Scene,
    build: &str,
) -> impl FnOnce(&mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    let deployment = WorkerDeploymentOptions::new(version(scene, build))
        .use_worker_versioning(true)
        .default_versioning_behavior(VersioningBehavior::Pinned)
        .build();
    move |worker| {
        worker.deployment_options = deployment;
        worker.register_workflow::<Built>().map(drop)
    }
}

/// Makes a build the current one as soon as its worker has been seen.
async fn make_current(scene: &Scene, build: &str) -> Result<()> {
    let mut service = scene.client.connection().workflow_service();
    until("the build is current", async || {
        let describe = DescribeWorkerDeploymentRequest {
            namespace: "default".to_owned(),
            deployment_name: scene.id("app"),
        };
        let Ok(described) = service.describe_worker_deployment(Request::new(describe)).await else {
            return Ok(None);
        };
        let request = SetWorkerDeploymentCurrentVersionRequest {
            namespace: "default".to_owned(),
            deployment_name: scene.id("app"),
            build_id: build.to_owned(),
            conflict_token: described.into_inner().conflict_token,
            ..Default::default()
        };
        Ok(service.set_worker_deployment_current_version(Request::new(request)).await.ok())
    })
    .await
    .map(drop)
}

#[tokio::test]
async fn a_pinned_workflow_stays_with_its_build() -> Result<()> {
    let scene = Scene::open("builds").await?;
    let client = &scene.client;
    scene
        .with_worker(build(&scene, "1"), async |scene| {
            make_current(scene, "1").await?;
            let old = client.start_workflow(Built::run, (), scene.options("old")).await?;
            until("it is pinned", async || {
                let raw = old.describe(Default::default()).await?.into_raw();
                let info = raw.workflow_execution_info.unwrap_or_default();
                let pinned = info.versioning_info.unwrap_or_default().behavior() == Wire::Pinned;
                Ok(pinned.then_some(()))
            })
            .await?;
            let act = async |scene: &Scene| {
                make_current(scene, "2").await?;
                let new = client.start_workflow(Built::run, (), scene.options("new")).await?;
                let mut options = scene.options("moved");
                options.versioning_override = Some(VersioningOverride::Pinned(version(scene, "1")));
                let moved = client.start_workflow(Built::run, (), options).await?;
                for (handle, expected) in [(&old, "1"), (&new, "2"), (&moved, "1")] {
                    handle.signal(Built::end, (), Default::default()).await?;
                    assert_eq!(handle.get_result(Default::default()).await?, expected);
                }
                Ok(())
            };
            scene.with_worker(build(scene, "2"), act).await
        })
        .await
}

#[workflow]
#[derive(Default)]
struct Patched;

#[workflow_methods]
impl Patched {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<bool> {
        Ok(ctx.patched("a-change"))
    }
}

#[tokio::test]
async fn a_patch_is_a_marker_and_can_be_searched_for() -> Result<()> {
    play(
        "patches",
        |worker| worker.register_workflow::<Patched>().map(drop),
        async |scene| {
            let client = &scene.client;
            let handle = client.start_workflow(Patched::run, (), scene.options("patched")).await?;
            assert!(handle.get_result(Default::default()).await?);
            let events = history(&handle).await?;
            assert_eq!(count(&events, EventType::MarkerRecorded), 1);
            let query = format!(
                "TemporalChangeVersion = 'a-change' AND WorkflowId = '{}'",
                scene.id("patched")
            );
            until("it is found", async || {
                let count = client.count_workflows(query.clone(), Default::default()).await?;
                Ok((count.count() == 1).then_some(()))
            })
            .await
        },
    )
    .await
}
