//! Generates the message types of the API from the definitions that `temporalio-protos` ships.
//!
//! Our own generation, instead of that crate's types, for four reasons: `bytes` fields are
//! reference counted, maps iterate in one order (the journal must encode the same way twice),
//! there is no JSON code in the edit loop, and the annotations that say which path of the HTTP API
//! an RPC has are kept, which that crate's own descriptor set has lost.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost::Message;
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};
use protox::Compiler;

/// The package that ships the definitions.
const SHIPPED_BY: &str = "temporalio-protos";
/// Where definitions are, below its folder.
const INCLUDES: [&str; 3] = ["protos/api_upstream", "protos/testsrv_upstream", "protos"];
/// The definitions that are asked for; what they import comes along.
const FILES: [&str; 8] = [
    "temporal/api/workflowservice/v1/service.proto",
    "temporal/api/operatorservice/v1/service.proto",
    "temporal/api/testservice/v1/service.proto",
    "temporal/api/sdk/v1/workflow_metadata.proto",
    "temporal/api/nexusservices/workerservice/v1/request_response.proto",
    "temporal/api/errordetails/v1/message.proto",
    "grpc/health/v1/health.proto",
    "google/rpc/status.proto",
];
/// The constant lists of method names: name, package and service.
const METHODS: [(&str, &str, &str); 3] = [
    (
        "WORKFLOW_SERVICE_METHODS",
        "temporal.api.workflowservice.v1",
        "WorkflowService",
    ),
    (
        "OPERATOR_SERVICE_METHODS",
        "temporal.api.operatorservice.v1",
        "OperatorService",
    ),
    (
        "TEST_SERVICE_METHODS",
        "temporal.api.testservice.v1",
        "TestService",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let shipped = shipped()?;
    println!("cargo:rerun-if-changed={}", shipped.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let encoded = compile(&shipped)?;
    let mut set = FileDescriptorSet::decode(encoded.as_slice())?;
    fs::write(out.join("descriptor.bin"), &encoded)?;
    fs::write(out.join("methods.rs"), methods(&set))?;
    // Services are dispatched by a table in the server, so no service code is generated.
    for file in &mut set.file {
        file.service.clear();
    }
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .enable_type_names()
        .include_file("api.rs")
        .compile_fds(set)?;
    Ok(())
}

/// The folder of the package with the definitions. Cargo tells it to whoever asks, though not by a
/// variable.
fn shipped() -> Result<PathBuf, Box<dyn Error>> {
    let metadata = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", &env::var("TARGET")?])
        .output()?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let manifest = packages
        .iter()
        .find(|package| package["name"] == SHIPPED_BY)
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("the package with the API's definitions is not among the dependencies")?;
    let folder = Path::new(manifest).parent();
    Ok(folder.ok_or("a manifest without a folder")?.to_owned())
}

/// The encoded descriptor set. It is kept as bytes: decoded into types, it would lose the
/// annotations, which are extensions. Comments are left out: they would be a megabyte of text that
/// nobody reads here.
fn compile(shipped: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compiler = Compiler::new(INCLUDES.map(|folder| shipped.join(folder)))?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(FILES)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// One constant list of method names per service: what the dispatch table must cover.
fn methods(set: &FileDescriptorSet) -> String {
    let list = |package: &str, name: &str| {
        let service: Option<&ServiceDescriptorProto> = set
            .file
            .iter()
            .filter(|file| file.package() == package)
            .flat_map(|file| &file.service)
            .find(|service| service.name() == name);
        service.map_or_else(Vec::new, |s| {
            s.method.iter().map(|m| m.name().to_owned()).collect()
        })
    };
    let mut text = String::new();
    for (constant, package, name) in METHODS {
        text +=
            &format!("/// Every method of `{package}.{name}`, in the order of its definition.\n");
        text += &format!(
            "pub const {constant}: &[&str] = &{:?};\n",
            list(package, name)
        );
    }
    text
}
