//! Runs programs and scripts as people do, in a folder of their own and with nothing of this
//! machine's settings.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::emulators::{self, CREDENTIALS, Emulator, program};

/// The program under test.
pub(crate) const WEIGHBRIDGE: &str = env!("CARGO_BIN_EXE_weighbridge");

/// A path in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    emulators::repository().join(path)
}

/// The files below `folder`, but for those and the folders that `is_left_out` names.
pub(crate) fn files_below(folder: PathBuf, is_left_out: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("it can be read").path();
            if is_left_out(&path) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// What is in a file of the repository.
#[track_caller]
pub(crate) fn read(path: &str) -> String {
    let text = std::fs::read_to_string(repository(path));
    text.map_err(|error| format!("{path}: {error}")).expect("a file of the repository")
}

/// What a program said, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// What it printed, where it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self.out
    }

    /// What it complained of, where it failed with `code`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self.err
    }
}

/// Runs `command` to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}")).expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs a Python program with `arguments`, among the packages of the emulators.
#[track_caller]
pub(crate) fn python(source: &str, arguments: &[&Path]) -> String {
    run(program("python").args(["-c", source]).args(arguments)).ok()
}

/// A zip with a bootstrap that does nothing.
#[track_caller]
pub(crate) fn empty_zip(file: &Path) {
    let source = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('bootstrap', '')";
    python(source, &[file]);
}

/// Somebody at a shell, with an account of their own at moto.
pub(crate) struct Operator {
    pub(crate) folder: TempDir,
    pub(crate) moto: Emulator,
    settings: Vec<(String, String)>,
}

// === impl Operator ===

impl Operator {
    pub(crate) fn new() -> Operator {
        let folder = tempfile::tempdir().expect("a folder");
        let moto = Emulator::moto();
        Operator { folder, moto, settings: Vec::new() }
    }

    /// Sets `name` for all that follows.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.push((name.to_owned(), value.into()));
    }

    /// A script of `deploy` with `arguments`.
    #[track_caller]
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(repository("deploy").join(name));
        run(command.args(arguments))
    }

    /// The aws program; what it prints as text, trimmed.
    #[track_caller]
    pub(crate) fn aws(&self, arguments: &[&str]) -> String {
        let aws = program("aws").get_program().to_owned();
        let mut command = self.command(aws);
        run(command.args(["--output", "text"]).args(arguments)).ok().trim().to_owned()
    }

    /// An image that an instance can be made of.
    #[track_caller]
    pub(crate) fn image(&self) -> String {
        let name = ["ec2", "register-image", "--name", "base", "--architecture", "x86_64"];
        self.aws(&[&name[..], &["--root-device-name", "/dev/xvda"]].concat())
    }

    /// A file of this test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program_path: impl AsRef<std::ffi::OsStr>) -> Command {
        let aws = program("aws");
        let tools = Path::new(aws.get_program()).parent().expect("it is in a folder").to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program_path);
        for (name, _) in std::env::vars().filter(|(name, _)| {
            ["AWS_", "WEIGHBRIDGE_"].iter().any(|prefix| name.starts_with(prefix))
        }) {
            command.env_remove(name);
        }
        command
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.moto.url())
            // Version 1 of it knows only this name.
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("WEIGHBRIDGE_STATE", self.file("state"))
            .env("WEIGHBRIDGE_WAIT_MAX", "600")
            .env("WEIGHBRIDGE_LAMBDA", "")
            .env("WEIGHBRIDGE_PROGRAM", WEIGHBRIDGE)
            .envs(CREDENTIALS)
            .envs(self.settings.iter().cloned());
        command
    }
}
