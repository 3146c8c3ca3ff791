//! Generates the message types of the API from the definitions that `temporalio-protos` ships.
//!
//! Our own generation, instead of that crate's types, for three reasons: `bytes` fields are
//! reference counted, maps iterate in one order (the journal must encode the same way twice), and
//! there is no JSON code in the edit loop.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message;
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};

/// The packages whose messages are generated. SDK-internal and cloud packages are left out.
fn wanted(package: &str) -> bool {
    (package.starts_with("temporal.api.") && !package.starts_with("temporal.api.cloud"))
        || package == "google.rpc"
        || package == "grpc.health.v1"
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH");
    let path = env::var("DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut set = FileDescriptorSet::decode(fs::read(path)?.as_slice())?;
    // Comments would be a megabyte of text that nobody reads here.
    for file in &mut set.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptor.bin"), served(&set).encode_to_vec())?;
    fs::write(out.join("methods.rs"), methods(&set))?;
    set = served(&set);
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

/// What reflection serves: the API, and the files it imports.
fn served(set: &FileDescriptorSet) -> FileDescriptorSet {
    let keep = |package: &str| wanted(package) || package.starts_with("google.");
    FileDescriptorSet {
        file: set
            .file
            .iter()
            .filter(|file| keep(file.package()) || file.package() == "nexusannotations.v1")
            .cloned()
            .collect(),
    }
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
    for (constant, package, name) in [
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
    ] {
        text +=
            &format!("/// Every method of `{package}.{name}`, in the order of its definition.\n");
        text += &format!(
            "pub const {constant}: &[&str] = &{:?};\n",
            list(package, name)
        );
    }
    text
}
