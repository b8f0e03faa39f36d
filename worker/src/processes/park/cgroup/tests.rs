use super::*;

/// A folder like the system's: files with what they hold.
fn mount(files: &[(&str, &str)]) -> tempfile::TempDir {
    let mount = tempfile::tempdir().expect("a folder");
    for (file, text) in files {
        let file = mount.path().join(file);
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it is writable");
        fs::write(file, text).expect("it is writable");
    }
    mount
}

#[test]
fn a_group_of_its_own_is_split_into_one_for_the_worker_and_others() {
    let own = raw(getpid()).to_string();
    let mount = mount(&[
        ("own/cgroup.controllers", "cpu memory"),
        ("own/cgroup.procs", &format!("{own}\n")),
        ("own/cgroup.subtree_control", ""),
    ]);
    let parent = mount.path().join("own");
    assert_eq!(version_2(mount.path(), "0::/own\n"), Ok(parent.clone()));
    let read = |file: &str| fs::read_to_string(parent.join(file)).expect("it is there");
    assert_eq!(read("weighbridge-worker/cgroup.procs"), own);
    assert_eq!(read("cgroup.subtree_control"), "+cpu");

    // Started again in the group that it has moved to, it finds everything ready.
    fs::write(parent.join("weighbridge-worker/cgroup.controllers"), "cpu").expect("writable");
    fs::write(parent.join("cgroup.subtree_control"), "cpu").expect("writable");
    assert_eq!(version_2(mount.path(), "0::/own/weighbridge-worker\n"), Ok(parent));
}

#[test]
fn a_group_with_other_processes_is_left_as_it_is() {
    let mount = mount(&[
        ("own/cgroup.controllers", "cpu"),
        ("own/cgroup.procs", "1\n"),
        ("own/cgroup.subtree_control", ""),
    ]);
    let why = version_2(mount.path(), "0::/own\n").expect_err("it is not the worker's own");
    assert!(why.ends_with("has other processes: expected one of the worker's own"), "{why}");
    assert!(!mount.path().join("own/weighbridge-worker").exists());
}

#[test]
fn without_the_controller_there_is_no_way() {
    let mount = mount(&[("own/cgroup.controllers", "memory pids")]);
    let why = version_2(mount.path(), "0::/own\n").expect_err("it cannot weigh");
    assert!(why.ends_with("has no controller `cpu`"), "{why}");
    assert!(version_2(mount.path(), "1:cpu:/\n").is_err());
}

#[test]
fn version_1_has_a_folder_for_each_controller() {
    let mount = mount(&[("cpu/some/cpu.shares", "1024")]);
    let groups = "3:cpuset:/\n1:cpu,cpuacct:/some\n0::/\n";
    assert_eq!(version_1(mount.path(), groups), Some(mount.path().join("cpu/some")));
    assert_eq!(version_1(mount.path(), "1:cpu:/other\n"), None);
}
