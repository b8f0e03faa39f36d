use super::*;

#[test]
fn the_total_is_read_in_kibibytes() {
    assert_eq!(total_of("MemTotal:        8041092 kB\nMemFree: 1 kB\n"), Some(8_041_092 * 1024));
    assert_eq!(total_of("MemTotal: much\n"), None);
    assert_eq!(total_of(""), None);
}

#[test]
fn a_group_is_limited_by_all_above_it() {
    let files = limit_files("1:memory:/x\n0::/user.slice/a.service\n");
    let files = files.iter().map(|file| file.to_str().expect("it is UTF-8"));
    assert_eq!(
        files.collect::<Vec<_>>(),
        [
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/user.slice/a.service/memory.max",
            "/sys/fs/cgroup/user.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ]
    );
}

#[test]
fn cpu_time_grows_with_work() {
    let before = cpu_time();
    let mut number = 1_u64;
    while cpu_time() == before {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
    assert!(before < cpu_time());
}

#[cfg(target_os = "linux")]
#[test]
fn linux_tells_of_memory() {
    let (resident, all) = (resident_bytes(), memory_bytes());
    assert!(resident.is_some_and(|bytes| 0 < bytes), "{resident:?}");
    assert!(resident < all, "{resident:?} of {all:?}");
}
