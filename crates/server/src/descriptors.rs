//! The API's definition as data, for those who turn messages into JSON and back. Decoded it takes megabytes, and
//! many servers never need it: it is made when it is first asked for.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

static POOL: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTOR_SET)
        .map_err(|error| format!("the API's definition cannot be read: {error}"))
});

/// All of it.
///
/// # Errors
/// None, as long as tests pass that need it.
pub(crate) fn pool() -> Result<&'static DescriptorPool, String> {
    POOL.as_ref().map_err(Clone::clone)
}
