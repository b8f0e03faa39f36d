//! Balancers and workers, each of which can be killed and started again at the same address.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::JobsError;
use crate::compare::{Process, RunningError, beside, free_address, write_to};

/// The program that balances.
const PROGRAM: &str = "weighbridge";

/// What is asked of the stage.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) balancers: usize,
    pub(super) workers: usize,
    /// Cores of each worker: so many jobs run there at once.
    pub(super) cores: usize,
    /// Processes of each worker: so many jobs are begun there at once.
    pub(super) processes: usize,
    /// The order of the workers: `srpt`, `fcfs`. `None`: plain servers without a worker.
    pub(super) discipline: Option<&'static str>,
    /// More lines of the route.
    pub(super) route: &'static str,
    /// More lines of `[jobs]`.
    pub(super) jobs: String,
    /// Whether jobs may be called back at 127.0.0.1.
    pub(super) has_callbacks: bool,
    /// What the balancers have in their environment: where AWS is, where jobs are kept there.
    pub(super) environment: Vec<(String, String)>,
    /// Whether they are kept in a folder.
    pub(super) has_folder: bool,
}

/// See the module. Everything ends when it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) actors: Vec<Actor>,
    folder: TempDir,
}

/// A process that can be started again.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) address: SocketAddr,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    said: PathBuf,
    process: Option<Process>,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Balancer,
    Worker,
}

impl Stage {
    /// Starts everything; returns once it takes connections.
    pub(super) fn start(setting: &Setting) -> Result<Stage, JobsError> {
        let missing = || RunningError::Missing(PROGRAM, "cargo build --release -p weighbridge");
        let program = beside(PROGRAM).filter(|own| own.is_file()).ok_or_else(missing)?;
        let folder = tempfile::tempdir()?;
        let mut stage = Stage { actors: Vec::new(), folder };
        for n in 0..setting.workers {
            let worker = stage.worker(&program, setting, n)?;
            stage.actors.push(worker);
        }
        for n in 0..setting.balancers {
            let balancer = stage.balancer(&program, setting, n)?;
            stage.actors.push(balancer);
        }
        for actor in &mut stage.actors {
            actor.start()?;
        }
        Ok(stage)
    }

    /// Where everything is kept.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file in which hosts note what they do.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("executions.log")
    }

    /// The addresses of all of that role.
    pub(super) fn addresses(&self, role: Role) -> Vec<SocketAddr> {
        let of_role = self.actors.iter().filter(|actor| actor.role == role);
        of_role.map(|actor| actor.address).collect()
    }

    fn worker(&self, program: &Path, setting: &Setting, n: usize) -> Result<Actor, JobsError> {
        let name = format!("worker-{n}");
        let (own, log) = (std::env::current_exe()?, self.log());
        let address = free_address()?;
        let host = |listen: &str| {
            let (own, log) = (own.display(), log.display());
            format!("exec '{own}' jobs host --listen {listen} --log '{log}' --name {name}")
        };
        let (program, arguments) = match setting.discipline {
            None => {
                let host = host(&address.to_string());
                (PathBuf::from("sh"), vec!["-c".to_owned(), host])
            }
            Some(discipline) => {
                let arguments = ["worker", "--listen", &address.to_string(), "--run"];
                let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
                arguments.push(host("{address}"));
                let numbers = [("--cores", setting.cores), ("--processes", setting.processes)];
                for (option, number) in numbers {
                    arguments.extend([option.to_owned(), number.to_string()]);
                }
                arguments.extend(["--discipline".to_owned(), discipline.to_owned()]);
                (program.to_owned(), arguments)
            }
        };
        let said = self.folder.path().join(format!("{name}.log"));
        let role = Role::Worker;
        let environment = Vec::new();
        Ok(Actor { name, role, address, program, arguments, environment, said, process: None })
    }

    fn balancer(&self, program: &Path, setting: &Setting, n: usize) -> Result<Actor, JobsError> {
        let name = format!("balancer-{n}");
        let address = free_address()?;
        let folder = self.folder.path();
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, self.configuration(setting, &name, address)?)?;
        let arguments = ["serve", "-c", &file.to_string_lossy()].map(str::to_owned).to_vec();
        let said = folder.join(format!("{name}.log"));
        let (role, program) = (Role::Balancer, program.to_owned());
        let environment = setting.environment.clone();
        Ok(Actor { name, role, address, program, arguments, environment, said, process: None })
    }

    fn configuration(
        &self,
        setting: &Setting,
        name: &str,
        address: SocketAddr,
    ) -> io::Result<String> {
        let folder = self.folder.path();
        let data = folder.join(name);
        std::fs::create_dir_all(&data)?;
        let secret = folder.join("callbacks.secret");
        std::fs::write(&secret, "whsec_d2VpZ2hicmlkZ2Utam9icy1iZW5jaC1zZWNyZXQtMDE=\n")?;
        let hosts: Vec<String> = self
            .addresses(Role::Worker)
            .iter()
            .map(|host| format!("{{ address = \"{host}\", cores = {} }}", setting.cores))
            .collect();
        let callbacks = format!(
            "[jobs.callbacks]\nhosts = [\"127.0.0.1\"]\nnetworks = [\"127.0.0.0/8\"]\n\
             secret_file = \"{}\"\n",
            secret.display()
        );
        let jobs_folder = folder.join("jobs").display().to_string();
        let jobs_folder = if setting.has_folder { jobs_folder } else { String::new() };
        Ok(include_str!("../../peers/weighbridge-jobs.toml")
            .replace("{{listen}}", &address.to_string())
            .replace("{{admin}}", &free_address()?.to_string())
            .replace("{{hosts}}", &hosts.join(", "))
            .replace("{{route}}", setting.route)
            .replace("{{data}}", &data.display().to_string())
            .replace("{{jobs_folder}}", &jobs_folder)
            .replace("{{jobs}}", &setting.jobs)
            .replace("{{callbacks}}", if setting.has_callbacks { &callbacks } else { "" }))
    }
}

impl Actor {
    /// Starts it; returns once it takes connections.
    pub(super) fn start(&mut self) -> Result<(), JobsError> {
        let mut command = Command::new(&self.program);
        write_to(&mut command, &self.said)?;
        command.envs(self.environment.iter().cloned());
        command.args(&self.arguments).env("RUST_LOG", "error").stdin(Stdio::null());
        let mut process = Process::start(command, None)?;
        process.wait_up(self.address, &self.said)?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it, as `kill -9` does: it has no chance to do anything.
    pub(super) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }
}
