//! Whose code is counted: this binary has the crates of `weighbridge` in it, as they are in there.

use std::alloc::System;
use std::ffi::c_void;
use std::hint::black_box;

use weighbridge_instrument::{Counting, CountingAllocator, counted_functions, counting};
use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::{Server, Services};
use weighbridge_scene_extract::extractors;
use weighbridge_worker::{WorkerConfig, serve};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
fn operations_are_counted_and_the_proxys_code_is_not() {
    if black_box(false) {
        run_everything();
    }
    assert_ne!(counting(), Counting::Off);

    let names: Vec<String> = counted_functions().into_iter().filter_map(name).collect();
    for counted in ["weighbridge_worker::operations::", "weighbridge_scene::", "image::", "png::"] {
        assert!(names.iter().any(|name| name.contains(counted)), "{counted} is not counted");
    }
    let elsewhere = [
        "pingora",
        "weighbridge_proxy",
        "weighbridge_core",
        "weighbridge_scene_extract",
        "weighbridge_instrument",
        "weighbridge::",
        "tokio",
        "hyper",
        "rusqlite",
    ];
    // Generic code of tokio's that tasks of the worker have made the worker's. No operation calls
    // it.
    let is_of_tasks = |name: &&String| name.starts_with("tokio::runtime::task::");
    for name in names.iter().filter(|name| !is_of_tasks(name)) {
        let of = elsewhere.iter().find(|of| name.starts_with(**of));
        assert_eq!(of, None, "{name} is counted");
    }
}

/// Never called: it makes the linker take what `weighbridge` has.
fn run_everything() {
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    runtime.block_on(async {
        let config = Config::parse("", &extractors()).expect("it is the default");
        let server = Server::start(config, Services::default()).await.expect("it starts");
        serve(WorkerConfig::new(server.listen)).await.expect("it ends");
        server.stop().await;
    });
}

/// The demangled name of the function at `address`.
fn name(address: usize) -> Option<String> {
    let mut found = None;
    backtrace::resolve(address as *mut c_void, |symbol| {
        found = symbol.name().map(|name| name.to_string());
    });
    found
}
