//! `weighbridge-lambda`: the worker's operations on AWS Lambda.

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let refuse = |_: LambdaEvent<serde_json::Value>| async {
        Err::<serde_json::Value, Error>("no operation yet".into())
    };
    lambda_runtime::run(service_fn(refuse)).await
}
