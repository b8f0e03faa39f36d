//! The operations on AWS Lambda: one request at a time, metered as in a worker.
//!
//! ```text
//! event ─┬─ HTTP (function URL, payload format 2.0) ─► http_event ─┐
//!        └─ contract (every value a string) ─────────► contract ───┴─► run ─► answer, with what it cost
//! ```
//!
//! What an invocation has cost stands beside its result, where it does not disturb callers that do
//! not know of it. An HTTP answer has it in the header `endpoint-load-metrics`, as a worker's does.
//! A contract's answer has it in the member `report`; that answer is an object only where the event
//! asks for it with `"report": "true"`.

mod contract;
mod http_event;
mod run;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::Write as _;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::operations::{self, Limits, Operation};
use run::Ran;

/// Says which operation contract events ask for; HTTP events say it by their path.
pub const OPERATION: &str = "WEIGHBRIDGE_OPERATION";

/// The longest result that Lambda passes on, in bytes of its JSON: a little less than 6 MiB, for
/// what is around the body.
const RESULT_BYTES_MAX: usize = (6 << 20) - (16 << 10);

/// What an invocation returns.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Output {
    /// The bare base64 of the contract.
    Bare(String),
    /// The same with the load report beside it.
    Reported { result: String, report: Value },
    /// An HTTP answer.
    Http(http_event::HttpAnswer),
}

/// Why an invocation is a function error.
#[derive(Debug, thiserror::Error)]
enum InvocationError {
    /// The caller's: the event is not one.
    #[error("the event is {0}: expected an object, of the contract or of a function URL")]
    NotAnObject(&'static str),
    /// The operator's: the function was not told what it does.
    #[error("`WEIGHBRIDGE_OPERATION` is `{0}`: expected one of `{names}`", names = names().join("`, `"))]
    NoOperation(String),
    /// The caller's: a member of the event.
    #[error("`{field}` {problem}")]
    Field {
        /// The member.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The caller's: it wants more than Lambda returns.
    #[error("the result has `{0}` bytes, more than a function may return")]
    TooLong(usize),
    /// Ours.
    #[error("the operation panicked")]
    Panicked,
}

/// What all invocations of this environment share.
#[derive(Debug)]
struct Function {
    /// The operation that contract events ask for, or the unknown name that the operator wrote.
    operation: Result<&'static dyn Operation, String>,
    limits: Limits,
    is_cold: Cell<bool>,
}

/// Serves invocations until the environment ends.
pub async fn serve() -> Result<(), lambda_runtime::Error> {
    weighbridge_instrument::prepare();
    let function = Function::new(std::env::var(OPERATION).unwrap_or_default());
    let handler = |event: LambdaEvent<Value>| function.invoke(event.payload);
    lambda_runtime::run(service_fn(handler)).await
}

// === impl Function ===

impl Function {
    fn new(operation: String) -> Function {
        let operation = operations::by_name(&operation).ok_or(operation);
        Function { operation, limits: Limits::default(), is_cold: Cell::new(true) }
    }

    /// Answers one event, and logs one line.
    async fn invoke(&self, event: Value) -> Result<Output, InvocationError> {
        let is_cold = self.is_cold.replace(false);
        let mut line = Line { is_cold, ..Line::default() };
        let output = self.answer(event, &mut line).await;
        line.write(output.as_ref().err());
        output
    }

    async fn answer(&self, event: Value, line: &mut Line) -> Result<Output, InvocationError> {
        let event = match event {
            Value::Object(event) => event,
            other => return Err(InvocationError::NotAnObject(kind(&other))),
        };
        if http_event::is_one(&event) {
            line.kind = "http";
            return self.answer_http(event, line).await;
        }
        line.kind = "contract";
        self.answer_contract(event, line)
    }

    async fn answer_http(
        &self,
        event: Map<String, Value>,
        line: &mut Line,
    ) -> Result<Output, InvocationError> {
        let answer = http_event::answer(event, &self.limits, line).await?;
        line.status = Some(answer.status_code);
        check_length(answer.body.len())?;
        Ok(Output::Http(answer))
    }

    fn answer_contract(
        &self,
        event: Map<String, Value>,
        line: &mut Line,
    ) -> Result<Output, InvocationError> {
        let operation = self.operation.clone().map_err(InvocationError::NoOperation)?;
        line.operation = Some(operation.name());
        let (request, wants_report) = contract::read(operation, event)?;
        let ran = run::run(operation, &request.as_operation(), &self.limits);
        line.ran(&ran);
        let report = wants_report.then(|| ran.report(line.is_cold));
        let result = contract::result(ran)?;
        check_length(result.len())?;
        Ok(match report {
            None => Output::Bare(result),
            Some(report) => {
                let report = serde_json::from_str(&report.to_json()).unwrap_or_default();
                Output::Reported { result, report }
            }
        })
    }
}

fn names() -> Vec<&'static str> {
    operations::ALL.iter().map(|operation| operation.name()).collect()
}

fn check_length(bytes: usize) -> Result<(), InvocationError> {
    if RESULT_BYTES_MAX < bytes { Err(InvocationError::TooLong(bytes)) } else { Ok(()) }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

// === impl InvocationError ===

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Diagnostic {
        let error_type = match &error {
            InvocationError::NotAnObject(_) | InvocationError::Field { .. } => "BadRequest",
            InvocationError::NoOperation(_) => "BadConfiguration",
            // As Lambda itself calls it.
            InvocationError::TooLong(_) => "Function.ResponseSizeTooLarge",
            InvocationError::Panicked => "Panicked",
        };
        Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// What is logged of an invocation.
#[derive(Debug, Default)]
struct Line {
    kind: &'static str,
    operation: Option<&'static str>,
    status: Option<u16>,
    is_cold: bool,
    cpu_secs: Option<f64>,
    run_secs: Option<f64>,
}

// === impl Line ===

impl Line {
    fn ran(&mut self, ran: &Ran) {
        self.cpu_secs = ran.cost.cpu_seconds;
        self.run_secs = Some(ran.elapsed.as_secs_f64());
    }

    /// One line for each invocation, whatever came of it, to where Lambda takes it to the
    /// function's log.
    fn write(&self, error: Option<&InvocationError>) {
        let line = json!({
            "event": self.kind,
            "operation": self.operation,
            "status": self.status,
            "cold_start": self.is_cold,
            "cpu_seconds": self.cpu_secs,
            "run_seconds": self.run_secs,
            "error": error.map(ToString::to_string),
        });
        // Without standard error there is no place to tell of it.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}
