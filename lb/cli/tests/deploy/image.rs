//! An image made by the scripts: instances at moto, and this machine's own ssh server for the VM
//! that they stand for.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::shell::{Operator, run};

/// An ssh server whose sessions see a folder as the VM's file system. Ended when dropped, and with
/// it the worker that was started through it.
struct Sshd {
    child: Child,
    root: PathBuf,
}

/// Stands for systemd on the VM: starts and stops the worker that was installed.
const SYSTEMCTL: &str = r#"#!/bin/bash
echo "$*" >>"$WEIGHBRIDGE_ROOT/systemctl"
case "$*" in
    "start weighbridge-worker.service")
        setsid "$WEIGHBRIDGE_ROOT/usr/local/bin/weighbridge" worker \
            --listen "127.0.0.1:$WEIGHBRIDGE_TEST_PORT" </dev/null >/dev/null 2>&1 &
        echo $! >"$WEIGHBRIDGE_ROOT/worker.pid"
        ;;
    "stop weighbridge-worker.service")
        kill "$(cat "$WEIGHBRIDGE_ROOT/worker.pid")"
        rm "$WEIGHBRIDGE_ROOT/worker.pid"
        ;;
esac
"#;

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

fn key(file: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file)).ok();
}

fn executable(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
    fs::write(file, text).expect("it can be written");
    fs::set_permissions(file, Permissions::from_mode(0o755)).expect("it is ours");
}

// === impl Sshd ===

impl Sshd {
    /// Starts one, and sets `operator` up so that ssh to any VM ends there.
    fn start(operator: &mut Operator) -> Sshd {
        let (host_key, user_key) = (operator.file("host_key"), operator.file("user_key"));
        key(&host_key);
        key(&user_key);
        fs::copy(operator.file("user_key.pub"), operator.file("authorized")).expect("it is there");
        let root = operator.file("vm");
        executable(&root.join("bin/systemctl"), SYSTEMCTL);
        let (port, worker_port) = (free_port(), free_port());
        let path = std::env::var("PATH").unwrap_or_default();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
             UsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n\
             SetEnv WEIGHBRIDGE_ROOT={root} WEIGHBRIDGE_TEST_PORT={worker_port} PATH={root}/bin:{path}\n",
            host_key.display(),
            operator.file("authorized").display(),
            root = root.display(),
        );
        let file = operator.file("sshd_config");
        fs::write(&file, config).expect("it can be written");
        if rustix::process::geteuid().is_root() {
            // It wants this folder; an installed service makes it when it starts.
            fs::create_dir_all("/run/sshd").expect("it can be made");
        }
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the Debian package openssh-server is there");

        let to_it = operator.file("ssh_config");
        fs::write(&to_it, format!("Host *\n  HostName 127.0.0.1\n  Port {port}\n"))
            .expect("it can");
        let user = run(Command::new("id").arg("-un")).ok().trim().to_owned();
        operator.set("AWS_SSH_USER", user);
        operator.set("AWS_SSH_OPTIONS", format!("-F {}", to_it.display()));
        operator.set("AWS_SSH_CIDR", "192.0.2.1/32");
        operator.set("AWS_KEYPAIR_NAME", "mine");
        operator.set("AWS_EC2_SSH_KEYPAIR_PATH", user_key.display().to_string());
        operator.set("WEIGHBRIDGE_WORKER_PORT", worker_port.to_string());
        let public = format!("fileb://{}", operator.file("user_key.pub").display());
        let import = ["ec2", "import-key-pair", "--key-name", "mine", "--public-key-material"];
        operator.aws(&[&import[..], &[&public]].concat());
        Sshd { child, root }
    }

    fn did(&self) -> String {
        fs::read_to_string(self.root.join("systemctl")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Either may have ended already.
        let pid = fs::read_to_string(self.root.join("worker.pid")).unwrap_or_default();
        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The states of all instances there are.
fn states(operator: &Operator) -> String {
    let states = "Reservations[].Instances[].State.Name";
    operator.aws(&["ec2", "describe-instances", "--query", states])
}

#[test]
fn an_image_is_made_on_a_vm_that_was_installed_and_tested() {
    let mut operator = Operator::new();
    let sshd = Sshd::start(&mut operator);
    let own_of_the_vm = ["etc/machine-id", "etc/ssh/ssh_host_ed25519_key", "var/log/journal/1/a"];
    for file in own_of_the_vm {
        let file = sshd.root.join(file);
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(file, "its own").expect("it can be written");
    }

    let said = operator.script("create-image.sh", &[]);
    let progress = said.err.clone();
    let image = said.ok().trim().to_owned();
    let own = ["ec2", "describe-images", "--owners", "self", "--query", "Images[].ImageId"];
    assert_eq!(operator.aws(&own), image);
    assert!(progress.contains("installed weighbridge "), "{progress}");
    assert!(progress.contains("were answered"), "{progress}");
    let did = "start weighbridge-worker.service\nstop weighbridge-worker.service\n";
    assert_eq!(sshd.did(), did);
    for file in [
        "usr/local/bin/weighbridge",
        "usr/local/lib/weighbridge/boot",
        "etc/systemd/system/weighbridge.service",
        "etc/systemd/system/weighbridge-worker.service",
        "etc/weighbridge/weighbridge.toml",
        "etc/logrotate.d/weighbridge",
        "etc/systemd/system/logrotate.timer.d/weighbridge.conf",
    ] {
        assert!(sshd.root.join(file).exists(), "{file}");
    }
    // Each VM makes its own: systemd an id where the file is empty, cloud-init keys.
    let id = fs::read_to_string(sshd.root.join("etc/machine-id")).expect("the file is there");
    assert_eq!(id, "", "no id is in the image");
    for file in &own_of_the_vm[1..] {
        assert!(!sshd.root.join(file).exists(), "{file} is in the image");
    }
    assert_eq!(states(&operator), "terminated");

    let again = operator.script("create-image.sh", &[]).ok();
    assert_eq!(again.trim(), image, "the same program has the same image");
    assert_eq!(states(&operator), "terminated", "and nothing was launched");

    let ssh_from = operator.aws(&[
        "ec2",
        "describe-security-groups",
        "--group-names",
        "weighbridge-vm",
        "--query",
        "SecurityGroups[].IpPermissions[].[FromPort,IpRanges[0].CidrIp]",
    ]);
    assert_eq!(ssh_from, "22\t192.0.2.1/32");

    operator.script("terminate-deployment.sh", &["--yes"]).ok();
    assert_eq!(operator.aws(&own), "");
}

#[test]
fn a_vm_is_launched_once_and_terminated_with_the_deployment() {
    let mut operator = Operator::new();
    let _sshd = Sshd::start(&mut operator);
    let first = operator.script("launch-vm.sh", &[]).ok();
    let second = operator.script("launch-vm.sh", &[]).ok();
    assert_eq!(first, second);
    assert_eq!(states(&operator), "running");
    operator.script("terminate-deployment.sh", &["--yes"]).ok();
    assert_eq!(states(&operator), "terminated");
}

#[test]
fn a_vm_that_cannot_run_the_program_is_terminated_and_no_image_made() {
    let mut operator = Operator::new();
    let sshd = Sshd::start(&mut operator);
    // As one of another architecture would.
    let program = operator.file("program");
    executable(&program, "#!/bin/bash\nexit 126\n");
    let said = operator.script("create-image.sh", &["--program", &program.display().to_string()]);
    let said = said.failed(1);
    assert!(said.contains("the program does not run here"), "{said}");
    assert!(!sshd.root.join("usr/local/bin/weighbridge").exists(), "nothing was installed");
    assert_eq!(states(&operator), "terminated");
    let own = ["ec2", "describe-images", "--owners", "self", "--query", "Images"];
    assert_eq!(operator.aws(&own), "");
}

#[test]
fn another_base_image_makes_another_image() {
    let mut operator = Operator::new();
    let _sshd = Sshd::start(&mut operator);
    let base = operator.image();
    operator.set("AWS_BASE_IMAGE", base.clone());
    let first = operator.script("create-image.sh", &[]).ok();
    assert_eq!(operator.script("create-image.sh", &[]).ok(), first);
    let query = ["ec2", "describe-images", "--image-ids", first.trim(), "--query"];
    let told = operator.aws(&[&query[..], &["Images[0].Description"]].concat());
    assert!(told.ends_with(&format!("on {base}")), "{told}");

    let register = ["ec2", "register-image", "--name", "newer", "--architecture", "x86_64"];
    let newer = operator.aws(&[&register[..], &["--root-device-name", "/dev/xvda"]].concat());
    operator.set("AWS_BASE_IMAGE", newer);
    assert_ne!(operator.script("create-image.sh", &[]).ok(), first);
}
