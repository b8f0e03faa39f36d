//! `weighbridge-lambda`: the worker's operations on AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    weighbridge_worker::lambda::serve().await
}
