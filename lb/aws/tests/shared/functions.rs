//! Functions on an emulated Lambda: the real one, and one that does what it is told.

// Every test program that includes this file uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::emulators::{Emulator, program, repository};

/// Makes a zip file of the program `sys.argv[1]`, called `bootstrap`, and prints it in base64.
const ZIP: &str = "\
import base64, io, sys, zipfile
file = io.BytesIO()
with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    entry = zipfile.ZipInfo('bootstrap')
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, open(sys.argv[1], 'rb').read())
sys.stdout.write(base64.b64encode(file.getvalue()).decode())
";

/// A function that does what `DO` says: `echo` its event as an HTTP answer, `crash`, `hang`, fail
/// with an `error`, answer what is none (`wrong`), or return any JSON (`plain`).
const OBEDIENT: &str = r"#!/usr/bin/env python3
import json, os, sys, time, urllib.request
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
    with urllib.request.urlopen(api + 'next') as invocation:
        request = invocation.headers['Lambda-Runtime-Aws-Request-Id']
        event = json.load(invocation)
    print('asked', file=sys.stderr, flush=True)
    do = os.environ['DO']
    path, answer = 'response', {'statusCode': 42}
    if do == 'crash':
        os._exit(3)
    elif do == 'hang':
        time.sleep(600)
    elif do == 'error':
        path, answer = 'error', {'errorType': 'Told', 'errorMessage': 'as told'}
    elif do == 'echo':
        answer = {'statusCode': 203, 'headers': {'content-type': 'application/json'},
                  'cookies': ['seen=1'], 'body': json.dumps(event)}
    elif do == 'plain':
        answer = {'hello': 'world'}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(api + request + '/' + path, body)).close()
";

/// A `bootstrap`, ready to be sent.
pub(crate) struct Bootstrap(String);

/// What a function is told.
pub(crate) struct Told<'a> {
    pub(crate) name: &'a str,
    pub(crate) environment: (&'a str, &'a str),
    /// Seconds after which it is ended.
    pub(crate) timeout: u32,
}

// === impl Bootstrap ===

impl Bootstrap {
    /// `weighbridge-lambda`, as it was built for this test and is made ready for Lambda.
    pub(crate) fn real() -> Bootstrap {
        let folder = tempfile::tempdir().expect("a folder");
        let zip = folder.path().join("function.zip");
        // The emulator runs it with the C library of this machine.
        let output = Command::new(repository().join("deploy/build-lambda.sh"))
            .args(["--glibc-max", "99", "--program"])
            .arg(beside("weighbridge-lambda"))
            .arg("--output")
            .arg(&zip)
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Bootstrap(BASE64_STANDARD.encode(std::fs::read(zip).expect("it is made")))
    }

    /// The one that does what it is told.
    pub(crate) fn obedient() -> Bootstrap {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bootstrap");
        std::fs::write(&file, OBEDIENT).expect("the folder is writable");
        Bootstrap::of(&file)
    }

    fn of(file: &Path) -> Bootstrap {
        assert!(file.exists(), "{} is not built", file.display());
        let output =
            program("python").args(["-c", ZIP]).arg(file).stderr(Stdio::inherit()).output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "the bootstrap cannot be zipped");
        Bootstrap(String::from_utf8(output.stdout).expect("base64"))
    }

    /// Creates a function of it at `lambda`, a ministack.
    #[track_caller]
    pub(crate) fn create(&self, lambda: &Emulator, told: &Told<'_>) {
        let (name, value) = told.environment;
        let function = json!({
            "FunctionName": told.name,
            "Runtime": "provided.al2023",
            "Role": "arn:aws:iam::000000000000:role/none",
            "Handler": "bootstrap",
            "Timeout": told.timeout,
            "MemorySize": 1769,
            "Environment": { "Variables": { name: value } },
            "Code": { "ZipFile": self.0 },
        });
        let said = lambda.ask("POST", "/2015-03-31/functions", &function.to_string());
        assert!(said.starts_with("HTTP/1.1 201"), "{said}");
    }
}

/// Lets at most `n` invocations of `function` run at once.
#[track_caller]
pub(crate) fn reserve(lambda: &Emulator, function: &str, n: u32) {
    let path = format!("/2017-10-31/functions/{function}/concurrency");
    let reserved: Value = json!({ "ReservedConcurrentExecutions": n });
    let said = lambda.ask("PUT", &path, &reserved.to_string());
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

/// A program of the workspace: it is built into the folder that the test programs' is in.
fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let folders = test.ancestors().skip(1).map(|folder| folder.join(name));
    folders.into_iter().find(|file| file.exists()).unwrap_or_else(|| PathBuf::from(name))
}
